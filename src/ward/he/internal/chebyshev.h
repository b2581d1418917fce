// Sums of Chebyshev's polynomials T_k, and what they do to errors.
#pragma once

#include <cstddef>
#include <vector>

namespace ward::he::internal {

using Coefficients = std::vector<double>;

// The sum of p[k] T_k(x), by Clenshaw's recurrence; p is not empty.
double sum_chebyshev(const Coefficients& p, double x);

// Coefficients of the derivative.
Coefficients chebyshev_derivative(const Coefficients& p);

// T_k(1 + error): no T_k, and no derivative of one, is larger than there within `error` of [-1, 1]
// in the complex plane, since the ellipse with foci -1 and 1 through 1 + error covers all of that.
double chebyshev_at_edge(size_t k, double error);

// What happens to a number and its error in a polynomial, whatever way it is evaluated: the error e
// of an argument changes p(x) by at most slope times e.
struct Growth {
    double value = 0, slope = 0;
};
// Of the sum of p[k] x^k for |x| <= bound and errors up to `error`.
Growth growth_of_powers(const Coefficients& p, double bound, double error);
// Of the sum of p[k] T_k(x) for real x in [-1, 1]: the largest of a grid, and what may lie between.
Growth growth_of_chebyshev(const Coefficients& p, double error);

}  // namespace ward::he::internal
