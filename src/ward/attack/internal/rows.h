// Batches as rows of floats: access, compaction, random starts.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <random>

#include "ward/attack/evasion.h"
#include "ward/attack/internal/row_kernels.h"

namespace ward::attack {

// Of starts and proposals: repeatable on every platform, and no secret.
using Generator = std::mt19937_64;

double uniform01(Generator& generator);
double gaussian(Generator& generator);
int64_t below(Generator& generator, int64_t n);
inline float random_sign(Generator& generator) { return generator() >> 63 != 0 ? 1.0f : -1.0f; }

inline int64_t row_size(const at::Tensor& x) { return x.size(0) == 0 ? 0 : x.numel() / x.size(0); }
inline float* row(const at::Tensor& x, int64_t i) { return x.data_ptr<float>() + i * row_size(x); }

// Calls body(i) for every row, on all threads of ATen.
void for_rows(int64_t rows, const std::function<void(int64_t)>& body);

Ball ball_of(const EvasionOptions& options);

// Replaces each tensor that is defined by its rows where `keep` {n} bool holds.
void keep_rows(const at::Tensor& keep, std::initializer_list<at::Tensor*> tensors);

// Moves each row of x, a copy of its center, to a random point: Linf uniform in the ball, L2 and L1
// at a random distance in a random direction; with `edge` on the edge of the ball. Then projects.
void random_start(const Ball& ball, const at::Tensor& center, bool edge, Generator& generator,
                  at::Tensor& x);

// out[owner[i]] = x[i] where fooled[i], the first row of an owner winning, and done[owner[i]] is
// set. Returns {rows} bool: rows whose owner is not done.
at::Tensor settle(const at::Tensor& fooled, const at::Tensor& x, const at::Tensor& owner,
                  at::Tensor& done, at::Tensor& out);

}  // namespace ward::attack
