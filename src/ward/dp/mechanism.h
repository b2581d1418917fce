// What the accountants account: phases of Poisson-subsampled Gaussian steps.
//
// One step draws each example with probability q, sums vectors of length at most 1, and adds
// Gaussian noise of standard deviation sigma (the noise multiplier). Adjacency is
// add-or-remove-one.
#pragma once

#include <cstdint>
#include <span>

namespace ward::dp {

struct SampledGaussianPhase {
    double sampling_rate = 1;     // q in (0, 1]
    double noise_multiplier = 1;  // sigma > 0, finite
    int64_t steps = 1;            // >= 0
};

// Throws Error kUsage naming the field, what it is and what it must be.
void require_valid_phases(std::span<const SampledGaussianPhase> phases);
void require_valid_delta(double delta);
void require_valid_epsilon(double epsilon);

}  // namespace ward::dp
