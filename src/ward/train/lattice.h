// The integer lattice on which privacy noise is added.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ward/core/random.h"
#include "ward/dp/discrete_gaussian.h"

namespace ward::train {

// Replaces every value by (its nearest multiple of step, plus noise) * scale: one independent whole
// number of noise for each value. The tensors hold float32 or double and come back as float32 on
// their devices; undefined ones are left out. Values beyond 2^50 steps count as 2^50 steps (a jump
// to 0 there would be a large influence of one example), those that are not a number as 0. Tensors
// in float32 on the CPU are overwritten. The result depends on `random`, not on the number of
// threads. Throws Error kUsage when the noise does not fit 32 bits.
void add_lattice_noise(std::vector<at::Tensor>& values, double step,
                       const dp::DiscreteGaussian& noise, Random& random, double scale);

}  // namespace ward::train
