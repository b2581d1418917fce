#include "ward/attack/internal/row_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/attack/internal/rows.h"

namespace ward::attack {
namespace {

constexpr int64_t kSize = 97;

std::vector<float> random_row(Generator& generator, double low, double high) {
    std::vector<float> x(kSize);
    for (float& v : x) v = static_cast<float>(low + (high - low) * uniform01(generator));
    return x;
}

void expect_in_box(const std::vector<float>& x) {
    for (float v : x) {
        EXPECT_GE(v, -1e-6f);
        EXPECT_LE(v, 1 + 1e-6f);
    }
}

TEST(RowKernels, ProjectionsStayInBallAndBoxAndLeaveInnerPointsAlone) {
    Generator generator(1);
    for (Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
        const Ball ball{norm, norm == Norm::kLinf ? 0.1f : 1.0f, 0, 1};
        const auto center = random_row(generator, 0, 1);
        auto x = random_row(generator, -1, 2);
        project(ball, center.data(), x.data(), kSize);
        expect_in_box(x);
        EXPECT_LE(row_distance(x.data(), center.data(), kSize, norm), ball.epsilon * (1 + 1e-6));
        const auto once = x;
        project(ball, center.data(), x.data(), kSize);
        for (int64_t j = 0; j < kSize; ++j) EXPECT_NEAR(x[j], once[j], 1e-6);
    }
}

// No other point of ball and box is nearer: all of many random ones are farther away.
TEST(RowKernels, L1ProjectionIsTheNearestPoint) {
    Generator generator(2);
    const Ball ball{Norm::kL1, 2.0f, 0, 1};
    const auto center = random_row(generator, 0, 1), outside = random_row(generator, -1, 2);
    auto nearest = outside;
    project(ball, center.data(), nearest.data(), kSize);
    EXPECT_NEAR(row_distance(nearest.data(), center.data(), kSize, Norm::kL1), 2, 1e-4);
    const double least = row_distance(nearest.data(), outside.data(), kSize, Norm::kL2);
    for (int trial = 0; trial < 2000; ++trial) {
        auto other = nearest;
        for (float& v : other)
            v = std::clamp(v + 0.05f * static_cast<float>(gaussian(generator)), 0.0f, 1.0f);
        const double length = row_distance(other.data(), center.data(), kSize, Norm::kL1);
        for (int64_t j = 0; j < kSize && length > 2; ++j)
            other[j] = center[j] + static_cast<float>(2 / length) * (other[j] - center[j]);
        EXPECT_GE(row_distance(other.data(), outside.data(), kSize, Norm::kL2), least - 1e-4);
    }
}

// Optimality by bisection on the multiplier, a second way to the same point.
double least_norm_by_bisection(Norm norm, const std::vector<float>& x, const std::vector<float>& w,
                               double gap) {
    double low = 0, high = 1e4;
    std::vector<float> d(kSize);
    for (int step = 0; step < 200; ++step) {
        const double lambda = (low + high) / 2;
        double reached = 0;
        for (int64_t j = 0; j < kSize; ++j) {
            const double room = w[j] * gap > 0 ? 1 - x[j] : x[j];
            d[j] = static_cast<float>(
                std::min(room, norm == Norm::kLinf ? lambda : lambda * std::abs(w[j])));
            reached += d[j] * std::abs(w[j]);
        }
        (reached < std::abs(gap) ? low : high) = lambda;
    }
    return row_norm(d.data(), kSize, norm);
}

TEST(RowKernels, PlaneProjectionReachesThePlaneAtLeastNorm) {
    Generator generator(3);
    for (int trial = 0; trial < 50; ++trial) {
        const auto x = random_row(generator, 0, 1), w = random_row(generator, -1, 1);
        const double here = dot(w.data(), x.data(), kSize);
        const double b = here + 8 * (2 * uniform01(generator) - 1);
        for (Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
            std::vector<float> d(kSize);
            project_on_plane({norm, 0, 0, 1}, x.data(), w.data(), b, d.data(), kSize);
            auto moved = x;
            for (int64_t j = 0; j < kSize; ++j) moved[j] += d[j];
            expect_in_box(moved);
            EXPECT_NEAR(dot(w.data(), moved.data(), kSize), b, 2e-4);
            if (norm == Norm::kL1) continue;
            EXPECT_NEAR(row_norm(d.data(), kSize, norm),
                        least_norm_by_bisection(norm, x, w, b - here), 1e-4);
        }
    }
}

TEST(RowKernels, PlaneOutOfReachIsApproachedAsFarAsTheBoxAllows) {
    const std::vector<float> x(kSize, 0.25f), w(kSize, 1.0f);
    std::vector<float> d(kSize);
    for (Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
        project_on_plane({norm, 0, 0, 1}, x.data(), w.data(), 1000, d.data(), kSize);
        for (float v : d) EXPECT_FLOAT_EQ(v, 0.75f);
    }
}

}  // namespace
}  // namespace ward::attack
