// One private gradient: what a PrivacyPlan says, done.
//
// A batch is worked through in micro-batches; each gives a clipped sum in float32, rounded
// coordinate by coordinate to the plan's lattice and added there exactly (whole numbers in double
// precision). One discrete Gaussian per coordinate is added to the whole, and only then does
// anything leave the lattice. How many micro-batches there are is a question of memory and speed;
// the guarantee does not depend on it.
//
// The margin kSensitivityMargin covers what float32 sums add to an example's influence
// (docs/decisions/0002-arithmetic-sensitivity.md); plans for training are created with it.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "ward/core/random.h"
#include "ward/dp/plan.h"
#include "ward/nn/network.h"
#include "ward/train/batch.h"

namespace ward {
class DiscreteGaussian;
}

namespace ward::train {

// Relative excess of an example's influence on the lattice sum over the clipping norm.
inline constexpr double kSensitivityMargin = 1e-3;

// Sum over examples of the mean loss of their views: cross-entropy, or half the squared error for
// regression.
at::Tensor summed_loss(const at::Tensor& outputs, const at::Tensor& labels, model::Task task,
                       int64_t views);

class PrivateStep {
  public:
    PrivateStep(const nn::Network& network, const PrivacyPlan& plan, int64_t views);
    ~PrivateStep();

    // Adds the clipped sum of a micro-batch to the current step.
    void add(const Batch& batch);

    // Ends the step: the noisy sum divided by the expected batch size, per parameter (undefined for
    // frozen ones).
    std::vector<at::Tensor> finish(Random& random);

    // The current clipping norm C (it moves under adaptive clipping). Set it when a run is resumed.
    double clipping_norm() const { return clipping_norm_; }
    void set_clipping_norm(double norm) { clipping_norm_ = norm; }

    // Of one coordinate of a finished gradient.
    double noise_standard_deviation() const;

  private:
    at::Tensor clip_factors(const at::Tensor& squared_norm_bounds) const;
    void adapt_clipping_norm(Random& random);

    const nn::Network& network_;
    const PrivacyPlan& plan_;
    int64_t views_;
    double clipping_norm_;
    std::unique_ptr<DiscreteGaussian> noise_;
    std::vector<at::Tensor> pending_;  // float32 sums of the only micro-batch so far
    std::vector<at::Tensor>
        lattice_sums_;  // from the second micro-batch on: whole numbers in double
    double centred_count_ =
        0;  // +1/2 per gradient within C, -1/2 per longer one, for adaptive clipping
};

}  // namespace ward::train
