// Polynomials in place of activations.
#pragma once

#include <functional>
#include <span>

#include "ward/he/infer/network.h"

namespace ward::he::internal {

// The polynomial of least squares in Chebyshev's basis over [-radius, radius]: at the samples (all
// within), and, with a small weight, everywhere, so that it stays near the function between them.
PolynomialActivation fit_activation(const std::function<double(double)>& function,
                                    std::span<const double> samples, double radius, int degree);

}  // namespace ward::he::internal
