#include "ward/dp/internal/normal.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ward::dp::internal {

double normal_density(double z) { return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi); }

double normal_tail(double z) { return std::erfc(z / std::numbers::sqrt2) / 2; }

double normal_interval(double a, double b) {
    if (!(a < b)) return 0;
    if (b <= 0) return normal_interval(-b, -a);
    // Five-point Gauss-Legendre where the density hardly changes: the difference of two tails would
    // cancel. Its error is of order (width * z)^10 / 1e9.
    const double width = b - a;
    const double reach = std::max({1.0, std::abs(a), std::abs(b)});
    if (width * reach < 0.25) {
        constexpr double kNode[] = {0, 0.53846931010568309, 0.90617984593866399};
        constexpr double kWeight[] = {0.56888888888888889, 0.47862867049936647,
                                      0.23692688505618909};
        const double mid = a + width / 2, half = width / 2;
        double sum = kWeight[0] * normal_density(mid);
        for (int i = 1; i < 3; ++i) {
            sum += kWeight[i] *
                   (normal_density(mid - half * kNode[i]) + normal_density(mid + half * kNode[i]));
        }
        return half * sum;
    }
    if (a >= 0) return normal_tail(a) - normal_tail(b);
    if (-a < 0.5 && b < 0.5) {  // both near zero: erf, not one minus a tail
        return (std::erf(b / std::numbers::sqrt2) - std::erf(a / std::numbers::sqrt2)) / 2;
    }
    return 1 - normal_tail(-a) - normal_tail(b);
}

double normal_tail_inverse(double p) {
    double low = -40, high = 40;
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        (normal_tail(middle) > p ? low : high) = middle;
    }
    return (low + high) / 2;
}

}  // namespace ward::dp::internal
