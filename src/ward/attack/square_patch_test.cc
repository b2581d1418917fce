#include "ward/attack/internal/square_patch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace ward::attack {
namespace {

struct Case {
    Norm norm;
    int64_t channels;
    float epsilon;  // so small that the box plays no part
};

// A proposal moves mass and adds what is left of the radius: the whole radius is spent, on one
// window, and what lies outside of the two windows stays as it was. A window that is too light or
// too heavy would show in the norm (L1), or move everything else when pushed back to the edge (L2).
TEST(SquarePatch, BumpsSpendTheWholeRadiusInTheirWindow) {
    constexpr PatchGeometry kPlane{1, 28, 28};
    constexpr double kShare = 0.05;
    const int64_t side = 7;  // odd, next to sqrt(0.05) * 28
    for (const Case& c : {Case{Norm::kL1, 1, 4}, Case{Norm::kL1, 3, 4}, Case{Norm::kL2, 1, 1},
                          Case{Norm::kL2, 3, 1}}) {
        PatchGeometry geometry = kPlane;
        geometry.channels = c.channels;
        const int64_t n = geometry.channels * geometry.height * geometry.width;
        const Ball ball{c.norm, c.epsilon, -10, 10};
        const std::vector<float> center(n, 0.5f);
        std::vector<float> best = center;
        Generator generator(3);
        first_pattern(ball, geometry, center.data(), generator, best.data());
        ASSERT_NEAR(row_distance(best.data(), center.data(), n, c.norm), c.epsilon,
                    1e-3 * c.epsilon);
        int moved = 0;
        for (int trial = 0; trial < 100; ++trial) {
            std::vector<float> x = best;
            propose(ball, geometry, kShare, center.data(), best.data(), generator, x.data());
            ASSERT_NEAR(row_distance(x.data(), center.data(), n, c.norm), c.epsilon,
                        2e-3 * c.epsilon)
                << norm_name(c.norm) << " trial " << trial;
            int64_t changed = 0;
            for (int64_t j = 0; j < n; ++j) changed += std::abs(x[j] - best[j]) > 2e-4f ? 1 : 0;
            moved += changed > 0 ? 1 : 0;
            ASSERT_LE(changed, 2 * side * side * c.channels)
                << norm_name(c.norm) << " trial " << trial;
            best = x;
        }
        EXPECT_GT(moved, 20);
    }
}

// Where the radius is not spent yet, a proposal spends it.
TEST(SquarePatch, WhatIsLeftOfTheRadiusIsAdded) {
    constexpr PatchGeometry kPlane{1, 12, 12};
    for (const Norm norm : {Norm::kL1, Norm::kL2}) {
        const Ball ball{norm, 2, -10, 10};
        const std::vector<float> center(144, 0.5f);
        std::vector<float> best = center;
        best[40] += 0.5f;
        Generator generator(4);
        for (int trial = 0; trial < 20; ++trial) {
            std::vector<float> x = best;
            propose(ball, kPlane, 0.1, center.data(), best.data(), generator, x.data());
            EXPECT_NEAR(row_distance(x.data(), center.data(), 144, norm), 2, 1e-3);
        }
    }
}

TEST(SquarePatch, LinfProposalsLieOnTheEdgeInOneWindow) {
    constexpr PatchGeometry kPlane{2, 10, 10};
    const Ball ball{Norm::kLinf, 0.1f, 0, 1};
    const std::vector<float> center(200, 0.5f);
    std::vector<float> best = center;
    Generator generator(5);
    first_pattern(ball, kPlane, center.data(), generator, best.data());
    for (int trial = 0; trial < 50; ++trial) {
        std::vector<float> x = best;
        const PatchWindow w =
            propose(ball, kPlane, 0.09, center.data(), best.data(), generator, x.data());
        EXPECT_EQ(w.height * w.width, 9);
        for (int64_t j = 0; j < 200; ++j) {
            const int64_t r = j % 100 / 10, c = j % 10;
            const bool in =
                r >= w.top && r < w.top + w.height && c >= w.left && c < w.left + w.width;
            EXPECT_NEAR(std::abs(x[j] - center[j]), 0.1f, 1e-6f);
            if (!in) {
                EXPECT_EQ(x[j], best[j]);
            }
        }
    }
}

}  // namespace
}  // namespace ward::attack
