// Log moment generating function of the total privacy loss, by quadrature: where to put the tilt
// and the grid. Nothing here enters a bound.
#pragma once

#include <span>
#include <vector>

#include "ward/dp/internal/step_loss.h"
#include "ward/dp/mechanism.h"

namespace ward::dp::internal {

class LossMoments {
  public:
    // Mass under P beyond `right_mass` on the right is left out, as StepLoss::Cut does.
    LossMoments(std::span<const SampledGaussianPhase> phases, Direction direction,
                double right_mass);

    struct Value {
        double k = 0, slope = 0, curvature = 0;  // K, K', K'' at theta
    };
    // K(theta) = sum of steps * log E_P[exp(theta L)].
    Value at(double theta) const;

    // theta >= 0 where the saddle point estimate of delta(K'(theta)) is `delta`.
    double tilt_for_delta(double delta) const;
    // theta >= 0 with K'(theta) = epsilon, or 0.
    double tilt_for_epsilon(double epsilon) const;

    struct Window {
        double low, high;
        double lambda_low, lambda_high;  // the Chernoff parameters that show it
        double width() const { return high - low; }
    };
    // Range of total loss that holds all but about exp(-decay) of the law tilted by theta.
    Window window(double theta, double decay) const;

    // Standard deviation of the tilted loss of one step, averaged over all.
    double step_deviation(double theta) const;

  private:
    struct Phase {
        double steps;
        std::vector<double> loss, log_weight;
    };
    static Value moments(const Phase& phase, double theta);
    double k(double theta) const;
    template <typename Condition>
    double bisect_tilt(Condition too_small) const;

    std::vector<Phase> phases_;
};

}  // namespace ward::dp::internal
