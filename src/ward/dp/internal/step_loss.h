// The privacy loss of one Poisson-subsampled Gaussian step, exact and on a grid.
//
// Both directions of add-or-remove-one are written over one coordinate t in which the loss L(t)
// grows, with A = N(0, sigma^2), B = N(1, sigma^2) and beta(t) = B'(t) / A'(t) = exp((2t-1) / (2
// sigma^2)):
//   remove: P = (1-q) A + q B, Q = A                 L = log(1 - q + q beta)
//   add:    P = B, Q = (1-q) B + q A  (t = 1 - x)    L = -log(1 - q + q / beta)
// On any interval P - e^g Q = c(g) (B - beta_g A), where beta_g is beta at loss g.
#pragma once

#include <cstdint>
#include <vector>

namespace ward::dp::internal {

enum class Direction { kRemove, kAdd };

// Masses under P at losses offset + (first + i) * h.
struct GridMasses {
    double offset = 0;
    int64_t first = 0;
    std::vector<double> mass;
    double infinite = 0;  // mass at loss infinity (upper bound only)
};

class StepLoss {
  public:
    StepLoss(double sampling_rate, double noise_multiplier, Direction direction);

    double loss(double t) const;
    // t with loss(t) = l; -infinity below the least loss, +infinity above the greatest.
    double position(double l) const;

    double sigma() const { return sigma_; }
    double mass_p(double t0, double t1) const;

    // delta(epsilon) of this single step: P(L > epsilon) - e^epsilon Q(L > epsilon).
    double delta(double epsilon) const;

    // What may be cut off: mass under P on either side, and losses above the greatest of interest.
    struct Cut {
        double left_mass, right_mass;
        double max_loss;
    };
    // Connect the dots: dominates the step (Doroshenko et al. 2022, algorithm 1).
    GridMasses upper(double h, const Cut& cut) const;
    // Coarse-graining into cells whose ratio P / Q is that of their grid point or better: dominated
    // by the step. The offset puts the end where subsampling piles up the mass onto the grid.
    GridMasses lower(double h, const Cut& cut) const;

  private:
    double beta_at(double l) const;        // beta_g
    double excess_factor(double l) const;  // c(g)
    double next_cut(double x, double beta) const;
    struct Range {
        double low_t, high_t;
    };
    Range range_of(const Cut& cut) const;

    double q_, sigma_;
    Direction direction_;
};

}  // namespace ward::dp::internal
