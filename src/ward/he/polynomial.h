// Polynomials of an encrypted number, by Paterson and Stockmeyer's splitting with scales planned
// backwards from the result, so that every sum is of equal scales (Bossuat et al.,
// ia.cr/2020/1203).
//
// Thread safety: functions only.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ward/he/ckks.h"

namespace ward::he {

// Levels that a polynomial of this degree takes: ceil(log2(degree + 1)) up to degree 7, one more
// above.
int polynomial_depth(int degree);

// sum over k of coefficients[k] x^k. The scale of the result is that of x. Throws Error kRefused
// when levels or room are missing, kInvalid for coefficients that are not finite.
Ciphertext evaluate_polynomial(const CkksEvaluator& evaluator, const Ciphertext& x,
                               std::span<const double> coefficients, const RelinKey& key);

// sum over k of coefficients[k] T_k(x), T_k Chebyshev's polynomials; x must be bounded by 1. The
// way for high degrees: T_k stays within 1. The bound of the error counts the largest slope over
// [-1, 1], or `known_slope` of a caller who knows that no argument lies where it is larger.
Ciphertext evaluate_chebyshev(const CkksEvaluator& evaluator, const Ciphertext& x,
                              std::span<const double> coefficients, const RelinKey& key,
                              double known_slope = 0);

// Coefficients of the Chebyshev interpolation of a function on [low, high]: evaluate them at
// (2 x - low - high) / (high - low).
std::vector<double> chebyshev_coefficients(const std::function<double(double)>& function,
                                           double low, double high, int degree);

}  // namespace ward::he
