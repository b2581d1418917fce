#include "ward/attack/internal/descent_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/attack/internal/rows.h"

namespace ward::attack {
namespace {

TEST(DescentKernels, SlopeOfDistanceLessMargin) {
    const std::vector<float> x = {0.5f, 0.25f}, x0 = {0.0f, 1.0f}, g = {3.0f, -2.0f};
    std::vector<float> slope(2);
    squared_distance_slope(x.data(), x0.data(), g.data(), 0.5f, slope.data(), 2);
    EXPECT_FLOAT_EQ(slope[0], 2 * 0.5f - 0.5f * 3);
    EXPECT_FLOAT_EQ(slope[1], 2 * -0.75f + 0.5f * 2);
}

TEST(DescentKernels, SlopeOfWhatIsBeyondTheBoundLessMargin) {
    const std::vector<float> x = {0.5f, 0.25f, 0.6f}, x0 = {0.0f, 1.0f, 0.5f}, g = {3, -2, 1};
    std::vector<float> slope(3);
    excess_slope(x.data(), x0.data(), g.data(), 0.5f, 0.25f, slope.data(), 3);
    EXPECT_FLOAT_EQ(slope[0], 1 - 1.5f);
    EXPECT_FLOAT_EQ(slope[1], -1 + 1.0f);
    EXPECT_FLOAT_EQ(slope[2], -0.5f);
    std::vector<float> wide = {-1, 0.5f, 2};
    clip_row(0, 1, wide.data(), 3);
    EXPECT_EQ(wide, (std::vector<float>{0, 0.5f, 1}));
}

TEST(DescentKernels, AdamFollowsDoublePrecision) {
    constexpr int64_t kSize = 37, kSteps = 300;
    constexpr double kRate = 0.01;
    Generator generator(5);
    std::vector<float> slope(kSize), mean(kSize), square(kSize), to(kSize);
    std::vector<double> m(kSize), s(kSize), exact(kSize);
    for (int64_t step = 1; step <= kSteps; ++step) {
        for (int64_t j = 0; j < kSize; ++j) {
            const double size = std::pow(10.0, double(j % 9) - 6);
            slope[j] = static_cast<float>(size * (0.3 + gaussian(generator)));
            m[j] = 0.9 * m[j] + 0.1 * slope[j];
            s[j] = 0.999 * s[j] + 0.001 * slope[j] * slope[j];
            exact[j] -= kRate * m[j] / (1 - std::pow(0.9, step)) /
                        (std::sqrt(s[j] / (1 - std::pow(0.999, step))) + 1e-8);
        }
        adam_move(AdamRates(kRate, step), slope.data(), mean.data(), square.data(), to.data(),
                  kSize);
    }
    for (int64_t j = 0; j < kSize; ++j) EXPECT_NEAR(to[j], exact[j], 1e-6 * kRate * kSteps) << j;
}

}  // namespace
}  // namespace ward::attack
