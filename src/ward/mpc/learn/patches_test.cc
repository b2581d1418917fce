#include "ward/mpc/learn/patches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"

namespace ward::mpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Patches, AreWindowsOfTheImageRowByRow) {
    RingMatrix image(1, 9);
    for (size_t i = 0; i < 9; ++i) image.values[i] = i + 1;
    const PatchShape shape = {{3, 3, 1}, 2, 1, 0, 1};
    const RingMatrix patches = take_patches(shape, image);
    EXPECT_EQ(patches.rows, 4u);
    EXPECT_THAT(patches.values, ElementsAre(1, 2, 4, 5, 2, 3, 5, 6, 4, 5, 7, 8, 5, 6, 8, 9));
    // Sums of the four 2 x 2 patches.
    const RingMatrix sums = take_patches({{3, 3, 1}, 2, 1, 0, 2}, image);
    EXPECT_THAT(sums.values, ElementsAre(12, 16, 24, 28));
    const RingMatrix padded = take_patches({{3, 3, 1}, 3, 2, 1, 1}, image);
    EXPECT_EQ(padded.rows, 4u);
    EXPECT_EQ(padded.values[4], 1u);
    EXPECT_EQ(padded.values[0], 0u);
    EXPECT_EQ(padded.values[8], 5u);
}

// <take(x), y> = <x, add(y)> for all x and y.
TEST(Patches, AddingIsTheTransposeOfTaking) {
    Random random = testonly::seeded_random(1);
    for (const PatchShape& shape :
         {PatchShape{{5, 6, 3}, 3, 1, 1, 1}, PatchShape{{6, 6, 2}, 3, 2, 0, 2},
          PatchShape{{7, 5, 1}, 2, 3, 1, 1}, PatchShape{{8, 8, 2}, 1, 2, 0, 4}}) {
        RingMatrix x(2, shape.image.size()), y(2 * shape.positions(), shape.patch_size());
        random.fill(std::span<Ring>(x.values));
        random.fill(std::span<Ring>(y.values));
        const RingMatrix taken = take_patches(shape, x), added = add_patches(shape, y);
        Ring left = 0, right = 0;
        for (size_t i = 0; i < y.size(); ++i) left += taken.values[i] * y.values[i];
        for (size_t i = 0; i < x.size(); ++i) right += x.values[i] * added.values[i];
        EXPECT_EQ(left, right);
    }
}

TEST(Patches, ChannelsGoLast) {
    RingMatrix image(1, 8);
    for (size_t i = 0; i < 8; ++i) image.values[i] = i;
    EXPECT_THAT(channels_last({2, 2, 2}, image).values, ElementsAre(0, 4, 1, 5, 2, 6, 3, 7));
}

TEST(Patches, RefusesRowsOfAnotherLength) {
    EXPECT_THAT(testonly::message_of(
                    [] {
                        take_patches({{3, 3, 1}, 2, 1, 0, 1}, RingMatrix(2, 8));
                    },
                    ErrorCode::kUsage),
                HasSubstr("rows of 9 values, got 2 x 8"));
    EXPECT_THAT(testonly::message_of(
                    [] {
                        add_patches({{3, 3, 1}, 2, 1, 0, 1}, RingMatrix(6, 4));
                    },
                    ErrorCode::kUsage),
                HasSubstr("patches must have rows of 4"));
}

}  // namespace
}  // namespace ward::mpc
