// One private gradient: what a PrivacyPlan says, done.
//
// A batch is worked through in micro-batches; each gives a clipped sum in float32, and these are
// added in double. The whole is rounded coordinate by coordinate to the plan's lattice, one
// discrete Gaussian per coordinate is added there, and only then does anything leave the lattice.
// How many micro-batches there are is a question of memory and speed.
//
// The margin kSensitivityMargin covers what float32 sums add to an example's influence, for
// micro-batches of at most largest_micro_batch() examples
// (docs/decisions/0002-arithmetic-sensitivity.md); plans for training are created with it.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ward/core/random.h"
#include "ward/dp/plan.h"
#include "ward/nn/network.h"
#include "ward/train/batch.h"
#include "ward/train/canaries.h"

namespace ward::dp {
class DiscreteGaussian;
}

namespace ward::train {

// Relative excess of an example's influence on the lattice sum over the clipping norm.
inline constexpr double kSensitivityMargin = 1e-3;

// Sum over examples of the mean loss of their views: cross-entropy, or half the squared error for
// regression.
at::Tensor summed_loss(const at::Tensor& outputs, const at::Tensor& labels, model::Task task,
                       int64_t views);

// The most examples that may be summed in float32 at once, so that rounding stays within the
// margin.
int64_t largest_micro_batch(const model::ModelSpec& spec, int64_t expected_batch, int64_t views);

class RowInvariance;

class PrivateStep {
  public:
    // Throws Error kRefused for a plan that is not for this network, and for a network with
    // dropout. `usual_examples`: what most calls of add() hold, for the shape of the passes; 0: the
    // expected batch, as far as it may be summed at once.
    PrivateStep(nn::Network& network, const dp::PrivacyPlan& plan, int64_t views,
                int64_t usual_examples = 0);
    ~PrivateStep();

    // Adds the clipped sum of a micro-batch to the current step. Throws Error kRefused for more
    // examples than largest_micro_batch().
    void add(const Batch& batch);

    // Adds the clipped gradients of canaries to the current step. Throws Error kInvalid for a
    // coordinate that the network does not have, kUnsupported off the CPU.
    void add_canaries(std::span<const DiracCanary> canaries);

    // The sum of this step so far in these coordinates, WITHOUT noise: for audits, never released.
    std::vector<double> sum_at(std::span<const int64_t> coordinates) const;

    // Ends the step. Throws Error kRefused when the plan has no more steps. Returns the noisy sum
    // divided by the expected batch size, per parameter (undefined for frozen ones).
    std::vector<at::Tensor> finish(Random& random);

    // The current clipping norm C (it moves under adaptive clipping).
    double clipping_norm() const { return clipping_norm_; }

    // Goes on where a run stopped. Throws Error kCorrupt for a position outside the plan, or a norm
    // that the plan does not have.
    void resume(int64_t steps_done, double clipping_norm);

    // Of one coordinate of a finished gradient.
    double noise_standard_deviation() const;

  private:
    void add_pass(const Batch& batch, int64_t rows);
    at::Tensor clip_factors(const at::Tensor& squared_norm_bounds) const;
    void adapt_clipping_norm(Random& random);

    nn::Network& network_;
    const dp::PrivacyPlan& plan_;
    int64_t views_;
    double clipping_norm_;
    int64_t steps_done_ = 0;
    int64_t largest_micro_batch_;
    std::unique_ptr<RowInvariance> invariance_;
    std::unique_ptr<dp::DiscreteGaussian> noise_;
    std::vector<at::Tensor> sums_;  // so far: float32 of the first micro-batch, then double
    double centred_count_ =
        0;  // +1/2 per gradient within C, -1/2 per longer one, for adaptive clipping
};

}  // namespace ward::train
