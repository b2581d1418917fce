// PrivacyPlan: sampler, clipping, noise, steps, unit of privacy, accountant and delta in ONE
// object, so that what runs is what is accounted. Training asks the plan for every number; nothing
// else decides about privacy. The plan is stored in model cards and checkpoints.
//
// What one step of a plan does:
//   1. draw each example independently with probability exactly expected_batch / examples;
//   2. clip each example's gradient to L2 norm C (in arithmetic that may exceed C by the relative
//      `sensitivity_margin`, a bound that the training code proves and hands in);
//   3. sum; round each coordinate to the nearest multiple of grid_step() * C;
//   4. add grid_step() * C times a discrete Gaussian of noise_sigma_steps() to each coordinate.
// One example moves the rounded sum by at most C (1 + margin) + sqrt(dimension) * grid_step() * C;
// noise_sigma_steps() is the gradient noise multiplier times that, so the accounted multiplier is
// exact. The step from the continuous to the discrete Gaussian costs slack().epsilon and
// slack().delta, which every figure of the plan contains
// (docs/decisions/0011-privacy-accounting.md).
//
// Threat: an adversary who sees every noisy sum (hence every intermediate model), knows all
// examples but one unit, and knows the plan. Thread safety: immutable once created.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ward/dp/calibrate.h"
#include "ward/dp/mechanism.h"
#include "ward/dp/pld.h"

namespace ward::dp {

enum class ClippingKind {
    kFlat,       // scale down to norm C when above it
    kPerLayer,   // each layer to its own norm; C is their root sum of squares
    kAutomatic,  // scale every gradient to norm C (normalising; Bu et al. 2022)
    kAdaptive,   // flat, C follows a private quantile (Andrew et al. 2021)
};

enum class PrivacyUnit { kExample, kGroup };

enum class SamplerKind { kPoisson, kShuffle, kFixedSize, kCustom };

struct AdaptiveClipping {
    double quantile = 0.5;       // of the gradient norms, in (0, 1)
    double learning_rate = 0.2;  // C <- C exp(-learning_rate (fraction below C - quantile))
    // Standard deviation of the noise on the count of norms below C; 0: expected_batch / 20.
    double count_noise = 0;
};

struct PlanRequest {
    int64_t examples = 0;        // N, public
    int64_t expected_batch = 0;  // B; each example is drawn with probability B / N
    int64_t steps = 0;
    double delta = 0;
    std::optional<double> target_epsilon;    // exactly one of these two
    std::optional<double> noise_multiplier;  //

    SamplerKind sampler = SamplerKind::kPoisson;  // anything else is refused
    ClippingKind clipping = ClippingKind::kFlat;
    double clipping_norm = 1;         // C; for kAdaptive its first value; unused for kPerLayer
    std::vector<double> layer_norms;  // for kPerLayer
    AdaptiveClipping adaptive;        // for kAdaptive
    PrivacyUnit unit = PrivacyUnit::kExample;
    int64_t max_contributions = 1;  // examples of one group at most, for kGroup
    Accountant accountant = Accountant::kPld;
    int64_t dimension = 1;          // number of trainable parameters
    double sensitivity_margin = 0;  // relative, in [0, 1]; from the training code
};

struct PlanEpsilon {
    double upper = 0;  // the guarantee
    double lower = 0;  // the accounting cannot be improved below this
    double rdp = 0;    // for comparison; also an upper bound
    double rdp_order = 0;
};

// What replacing continuous by discrete Gaussian noise costs over the whole plan.
struct GridSlack {
    double epsilon = 0;
    double delta = 0;
};

class PrivacyPlan {
  public:
    // Validates, and finds the noise for a target epsilon. Throws Error kUsage (a value out of
    // range) or kRefused (another sampler than Poisson; a plan that cannot give its guarantee).
    static PrivacyPlan create(const PlanRequest& request);

    // The inverse of to_json: figures in the text are ignored and computed afresh. Throws Error
    // kCorrupt when the text is not a plan, kUnsupported for a newer version.
    static PrivacyPlan from_json(const std::string& text);
    std::string to_json() const;

    // The request with its noise multiplier filled in.
    const PlanRequest& settings() const { return settings_; }
    int64_t steps() const { return settings_.steps; }
    double delta() const { return settings_.delta; }

    // B / N. The sampler draws by the exact fraction; the accountant rounds it up.
    double sampling_rate() const;

    // Of the whole release of one step, gradients and (adaptive clipping) count together.
    double noise_multiplier() const { return *settings_.noise_multiplier; }
    // Of the gradient sum alone: larger for adaptive clipping, whose count takes its share
    // (Andrew et al. 2021, theorem 1); else the same.
    double gradient_noise_multiplier() const;
    // For adaptive clipping: standard deviation of the noise on the count of norms below C.
    double count_noise() const;

    // C at the start: clipping_norm, or the root sum of squares of the layer norms.
    double clipping_norm() const;

    // The lattice of released sums, in units of the current C: a power of two.
    double grid_step() const { return grid_step_; }
    // Standard deviation of the discrete Gaussian in lattice steps; at least 2^24.
    double noise_sigma_steps() const;
    GridSlack slack() const;

    // Epsilon at delta() after the first `steps` steps (0 <= steps <= steps()).
    PlanEpsilon epsilon_after(int64_t steps) const;
    PlanEpsilon epsilon() const { return epsilon_after(steps()); }

    // Phases as accounted: the rate rounded up; for groups the rate at which a group is touched and
    // the noise relative to all its contributions.
    SampledGaussianPhase accounted_phase(int64_t steps) const;

    // Remarks that do not break the guarantee: delta >= 1 / N, an epsilon above 10, ...
    std::vector<std::string> warnings() const;

    // The guarantee in plain words: what is protected, against whom, by how much, and what is not
    // covered. Computes epsilon().
    std::string statement() const;

    friend bool operator==(const PrivacyPlan& a, const PrivacyPlan& b);

  private:
    explicit PrivacyPlan(PlanRequest settings);

    PlanRequest settings_;
    double grid_step_ = 1;
};

}  // namespace ward::dp
