// Sums on the integer lattice, where privacy noise is added.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace ward::train {

// Nearest whole multiples: {n} float32 -> whole numbers in double. Values that are not finite
// become 0.
at::Tensor to_lattice(const at::Tensor& values, double step);

// (nearest multiple of step of values + noise) * scale, in one pass: {n} float32, noise of n whole
// numbers.
at::Tensor lattice_sum_with_noise(const at::Tensor& values, double step,
                                  std::span<const int32_t> noise, double scale);

// (lattice + noise) * scale for sums that are on the lattice already.
at::Tensor add_lattice_noise(const at::Tensor& lattice, std::span<const int32_t> noise,
                             double scale);

}  // namespace ward::train
