// Maximum over windows of images, several times as fast as ATen's on CPUs, whose inner loop is
// scalar.
#pragma once

#include <ATen/core/Tensor.h>

namespace ward::nn {

// x {N, C, H, W} -> {N, C, H', W'}: the values, ties and NaNs of at::max_pool2d; differentiable to
// any order. (Of a window at the padding with nothing but -inf in it the gradient is lost.)
at::Tensor max_pool2d(const at::Tensor& x, int64_t kernel, int64_t stride, int64_t padding);

}  // namespace ward::nn
