// The integer lattice on which privacy noise is added.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace ward::train {

// (nearest multiple of step of values + noise) * scale, in one pass: values {n} float32 or double,
// noise of n whole numbers; the result float32, on the values' device. Values that are not finite
// count as 0.
at::Tensor lattice_sum_with_noise(const at::Tensor& values, double step,
                                  std::span<const int32_t> noise, double scale);

}  // namespace ward::train
