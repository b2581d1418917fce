// Products of bfloat16 matrices with float32 sums.
#pragma once

#include <ATen/core/Tensor.h>

namespace ward::nn {

// a {n, d}, b {n, p}, bfloat16, contiguous -> a^T b {d, p}, float32: products exact, sums in
// float32.
at::Tensor bf16_product_transposed(const at::Tensor& a, const at::Tensor& b);

}  // namespace ward::nn
