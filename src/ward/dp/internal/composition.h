// Self-composition of gridded privacy losses by one tilted FFT, with bounds on everything that is
// cut, wrapped or rounded. Argument: docs/decisions/0011-privacy-accounting.md.
#pragma once

#include <span>
#include <vector>

#include "ward/dp/internal/step_loss.h"
#include "ward/dp/mechanism.h"
#include "ward/dp/pld.h"

namespace ward::dp::internal {

struct CompositionPlan {
    Direction direction = Direction::kRemove;
    double h = 0;                            // grid step
    double theta = 0;                        // tilt
    double lambda_low = 1, lambda_high = 1;  // Chernoff parameters for the ends of the window
    double low = 0;                          // window of total loss: low .. low + 2^log2_size h
    int log2_size = 0;
    StepLoss::Cut cut{};  // for every step
};

// Upper and lower bound on the curve delta(epsilon) of one direction.
class ComposedLoss {
  public:
    ComposedLoss(std::span<const SampledGaussianPhase> phases, const CompositionPlan& plan);

    CertifiedValue delta(double epsilon) const;
    CertifiedValue epsilon(double delta) const;

  private:
    // One of the two bounds: tilted masses y_i of the total loss at origin + i h, summing to one,
    // and what must be added or taken away.
    struct Bound {
        double origin = 0;
        // Sums over j >= i of y_j exp(-theta (j-i) h) and y_j exp(-(theta+1) (j-i) h).
        std::vector<double> tail, discounted_tail;
        double log_moment = 0;  // K(theta) of the gridded total
        double infinite = 0;    // mass at infinity
        double wrap_left = 0;   // tilted mass below the window
        double wrap_right = 0;  // tilted mass above the window
        double rounding = 0;    // root of the sum of squared errors of y
        int64_t first = 0;      // grid index of the window's start
    };

    void fill(Bound& bound, std::span<const SampledGaussianPhase> phases,
              std::span<const GridMasses> grids, std::vector<std::vector<double>>& folded);
    void transform(std::span<const SampledGaussianPhase> phases,
                   std::vector<std::vector<double>>& folded_lower,
                   std::vector<std::vector<double>>& folded_upper);
    void sum_tails(Bound& bound, std::vector<double> cycle) const;
    double delta_of(const Bound& bound, double sign, double epsilon) const;
    double epsilon_of(const Bound& bound, double sign, double delta) const;
    double correction(const Bound& bound, double sign, double epsilon) const;

    CompositionPlan plan_;
    double steps_ = 0;
    Bound upper_, lower_;
};

}  // namespace ward::dp::internal
