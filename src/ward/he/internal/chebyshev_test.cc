#include "ward/he/internal/chebyshev.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "ward/core/testing/seeded_random.h"

namespace ward::he::internal {
namespace {

Coefficients random_coefficients(size_t size, Random& random) {
    Coefficients p;
    for (size_t k = 0; k < size; ++k) p.push_back(2 * random.uniform01() - 1);
    return p;
}

std::complex<double> at(const Coefficients& p, std::complex<double> x) {
    std::complex<double> sum = p[0], before = 1, now = x;
    for (size_t k = 1; k < p.size(); ++k) {
        sum += p[k] * now;
        before = std::exchange(now, 2.0 * x * now - before);
    }
    return sum;
}

TEST(Chebyshev, SumsAndDerivatives) {
    // T_0 .. T_3 are 1, x, 2x^2 - 1, 4x^3 - 3x; 1 + 2 T_1 + 3 T_2 + 4 T_3 has the derivative
    // 2 + 12 x + 4 (12 x^2 - 3).
    const Coefficients p = {1, 2, 3, 4}, derivative = chebyshev_derivative(p);
    for (double x : {-1.0, -0.3, 0.0, 0.7, 1.0}) {
        EXPECT_NEAR(sum_chebyshev(p, x),
                    1 + 2 * x + 3 * (2 * x * x - 1) + 4 * (4 * x * x * x - 3 * x), 1e-12);
        EXPECT_NEAR(sum_chebyshev(derivative, x), 2 + 12 * x + 4 * (12 * x * x - 3), 1e-12);
    }
    EXPECT_EQ(chebyshev_derivative({5}), Coefficients{0});
    EXPECT_EQ(chebyshev_derivative({5, 2}), Coefficients{2});
}

// Any polynomial, any argument in [-1, 1], any error in the disk: within the bound, which is sharp
// for small errors.
TEST(Chebyshev, ErrorsGrowByTheSlopeAtMost) {
    Random random = ward::testonly::seeded_random(1);
    for (size_t size : {1, 2, 4, 8, 20, 64}) {
        for (double error : {1e-9, 1e-3, 0.3}) {
            const Coefficients p = random_coefficients(size, random);
            const Growth growth = growth_of_chebyshev(p, error);
            double largest_value = 0, largest_change = 0;
            for (int i = 0; i < 4000; ++i) {
                const double x = std::cos(i * 3.14159265358979 / 3999);
                const auto e = std::polar(error, 6.28318530718 * random.uniform01());
                largest_value = std::max(largest_value, std::abs(at(p, x)));
                largest_change = std::max(largest_change, std::abs(at(p, x + e) - at(p, x)));
            }
            EXPECT_LE(largest_value, growth.value * (1 + 1e-12));
            EXPECT_LE(largest_change, growth.slope * error * (1 + 1e-6) + 1e-12);
            if (error < 1e-6 && size > 1) {
                EXPECT_GE(largest_change, 0.6 * growth.slope * error) << size;
            }
            EXPECT_LE(growth.value, 1.3 * largest_value + 1e-12);
        }
    }
}

TEST(Chebyshev, PowersGrowAsTheirSum) {
    const Growth growth = growth_of_powers({1, -2, 3}, 2, 0.5);
    EXPECT_DOUBLE_EQ(growth.value, 1 + 4 + 12);
    EXPECT_DOUBLE_EQ(growth.slope, 2 + 2 * 3 * 2.5);
}

}  // namespace
}  // namespace ward::he::internal
