// Reductions and per-example products behind the gradient rules: plain loops over float32 arrays,
// vectorised for the processor at hand (all variants add in the same order, so results are equal
// bit for bit), threaded over examples.
//
// Squares are added in float32 within blocks of 256 and in double across blocks: the relative error
// of a sum of squares is below kSquaresError.
//
// Thread safety: pure functions of their arguments.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <tuple>

namespace ward::nn {

inline constexpr double kSquaresError = 0x1p-19;

// sum_j x_j^2.
double sum_of_squares(const float* x, int64_t n);

// x: {rows, n}, float32 or bfloat16, any device -> {rows}, double.
at::Tensor row_squares(const at::Tensor& x);

// g, x: {rows, n} -> ({rows} of sum_j g_j x_j, {rows} of sum_j g_j), in one pass.
std::tuple<at::Tensor, at::Tensor> row_dot_and_sum(const at::Tensor& g, const at::Tensor& x);

// g, x {B, ..., F}, mean and rstd {B, ..., 1} -> per-example gradients {B, F} of scale and shift of
// a layer norm.
std::tuple<at::Tensor, at::Tensor> layer_norm_parameter_gradients(const at::Tensor& g,
                                                                  const at::Tensor& x,
                                                                  const at::Tensor& mean,
                                                                  const at::Tensor& rstd);

// sum_b factors[b] * rows[b]: rows {B, n} float32, factors {B} float32 -> {n}, added in double,
// rounded once.
at::Tensor weighted_row_sum(const at::Tensor& rows, const at::Tensor& factors);

}  // namespace ward::nn
