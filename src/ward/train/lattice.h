// The integer lattice on which privacy noise is added.
#pragma once

#include <ATen/core/Tensor.h>

#include "ward/core/random.h"
#include "ward/dp/discrete_gaussian.h"

namespace ward::train {

// (nearest multiple of step of each value, plus noise) * scale: values {n} float32 or double, one
// independent whole number of noise each; the result is float32, on the values' device. Values that
// are not finite count as 0. Values in float32 on the CPU are overwritten and returned. Each 65,536
// values take their noise from a split of `random` of their own, so the result does not depend on
// the number of threads. Throws Error kUsage when the noise does not fit 32 bits.
at::Tensor lattice_sum_with_noise(at::Tensor values, double step, const dp::DiscreteGaussian& noise,
                                  Random& random, double scale);

}  // namespace ward::train
