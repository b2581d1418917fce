// Single-precision matrix products through oneDNN where the processor has AVX-512, and through ATen
// elsewhere.
//
// Two reasons. oneDNN writes its kernels for the processor it finds, while Debian's OpenBLAS takes
// new processors for old ones and is then half as fast. And each row of its results depends on that
// row alone, which is not so with every kernel of OpenBLAS and which private training needs
// (docs/decisions/0002-arithmetic-sensitivity.md).
#pragma once

#include <ATen/core/Tensor.h>

namespace ward::nn {

// op(a) op(b) of two matrices, float32; no gradient.
at::Tensor product(const at::Tensor& a, bool transposed_a, const at::Tensor& b, bool transposed_b);

// x {..., in}, weight {out, in}, bias {out} or undefined -> {..., out}, float32; differentiable to
// any order.
at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace ward::nn
