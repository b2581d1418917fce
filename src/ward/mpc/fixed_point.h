// Real numbers as elements of Z_2^64 and back: v becomes round(v 2^16), ties away from zero.
//
// With 16 fraction bits a product has 32, and the default truncation (truncate.h) is exact for
// every intermediate value below 2^62, that is for sums of products up to 2^30 in magnitude. Inputs
// are therefore limited to magnitudes below 2^15 when they are shared. Thread safety: free
// functions.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "ward/mpc/shared.h"

namespace ward::mpc {

inline constexpr int kFractionBits = 16;
inline constexpr double kOne = 65536.0;
inline constexpr double kMaxInput = 32768.0;

// For public constants of any size below 2^46. Throws Error kInvalid for others and for NaN.
Ring encode_constant(double value);
double decode(Ring value);

// Throws Error kInvalid for a value that is not finite or has a magnitude of 2^15 or more; the
// message names row and column (from 0) and `what`, which says where the values come from.
RingMatrix encode(std::span<const double> values, size_t rows, size_t cols, std::string_view what);
RingMatrix encode(std::span<const float> values, size_t rows, size_t cols, std::string_view what);
std::vector<double> decode(const RingMatrix& matrix);

}  // namespace ward::mpc
