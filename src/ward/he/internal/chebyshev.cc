#include "ward/he/internal/chebyshev.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace ward::he::internal {

Growth growth_of_powers(const Coefficients& p, double bound, double error) {
    Growth out;
    double power = 1, wide_power = 1;  // of bound; of bound + error, one less
    for (size_t k = 0; k < p.size(); ++k) {
        out.value += std::abs(p[k]) * power;
        if (k > 0) out.slope += static_cast<double>(k) * std::abs(p[k]) * wide_power;
        power *= bound;
        if (k > 0) wide_power *= bound + error;
    }
    return out;
}

Coefficients chebyshev_derivative(const Coefficients& p) {
    if (p.size() < 2) return {0.0};
    Coefficients out(p.size() - 1, 0.0);
    for (size_t k = out.size(); k > 0; --k) {
        const double above = k + 1 < out.size() ? out[k + 1] : 0;
        out[k - 1] = above + 2 * static_cast<double>(k) * p[k];
    }
    out[0] /= 2;
    return out;
}

double sum_chebyshev(const Coefficients& p, double x) {
    double next = 0, after = 0;
    for (size_t k = p.size() - 1; k > 0; --k) {
        after = std::exchange(next, p[k] + 2 * x * next - after);
    }
    return p[0] + x * next - after;
}

double chebyshev_at_edge(size_t k, double error) {
    return std::cosh(static_cast<double>(k) * std::acosh(1 + error));
}

Growth growth_of_chebyshev(const Coefficients& p, double error) {
    const Coefficients first = chebyshev_derivative(p), second = chebyshev_derivative(first);
    double second_inside = 0, second_near = 0;  // no second derivative is larger
    for (size_t k = 0; k < second.size(); ++k) {
        second_inside += std::abs(second[k]);
        second_near += std::abs(second[k]) * chebyshev_at_edge(k, error);
    }
    const auto points =
        static_cast<size_t>(std::min<double>(32768, 16 * static_cast<double>(p.size() * p.size())));
    const double step = std::numbers::pi / static_cast<double>(points);
    Growth out;
    for (size_t i = 0; i <= points; ++i) {
        const double x = std::cos(step * static_cast<double>(i));
        out.value = std::max(out.value, std::abs(sum_chebyshev(p, x)));
        out.slope = std::max(out.slope, std::abs(sum_chebyshev(first, x)));
    }
    // Points of the grid are at most `step` apart.
    out.slope += step / 2 * second_inside;
    out.value += step / 2 * out.slope;
    out.slope += error * second_near;
    return out;
}

}  // namespace ward::he::internal
