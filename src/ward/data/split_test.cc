#include "ward/data/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "ward/core/error.h"
#include "ward/data/dataset.h"
#include "ward/data/internal/hash.h"

namespace ward::data {
namespace {

TEST(Split, CoversAllRowsOnceInOrder) {
    const SplitRows rows = split_by_row(1000, 0.3);
    std::vector<int64_t> all = rows.train;
    all.insert(all.end(), rows.test.begin(), rows.test.end());
    std::sort(all.begin(), all.end());
    for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(all[static_cast<size_t>(i)], i);
    EXPECT_TRUE(std::is_sorted(rows.test.begin(), rows.test.end()));
    EXPECT_NE(split_by_row(1000, 0.3, 1).test, rows.test);
    EXPECT_EQ(split_by_row(1000, 0.3).test, rows.test);
}

TEST(Split, HasTheWantedSizeWithinSixDeviations) {
    for (double fraction : {0.01, 0.2, 0.5, 0.9}) {
        const double rows = 100000;
        const double got = static_cast<double>(split_by_row(100000, fraction).test.size());
        EXPECT_NEAR(got, rows * fraction, 6 * std::sqrt(rows * fraction * (1 - fraction)));
    }
}

TEST(Split, KeepsGroupsAndEqualRowsTogether) {
    std::vector<int64_t> groups;
    for (int64_t i = 0; i < 3000; ++i) groups.push_back(i % 97);
    std::map<int64_t, int> side;
    const SplitRows rows = split_by_group(groups, 0.4);
    for (int64_t row : rows.train) side[groups[static_cast<size_t>(row)]] |= 1;
    for (int64_t row : rows.test) side[groups[static_cast<size_t>(row)]] |= 2;
    EXPECT_EQ(side.size(), 97u);
    for (const auto& [group, sides] : side) EXPECT_NE(sides, 3) << group;
}

// Pins the assignment itself: a change here moves rows between train and test of every user.
TEST(Split, FirstRowsOfGroupsDependOnNoOtherGroup) {
    const std::vector<int64_t> groups = {7, 3, 7, 7, 3, 9, 7};
    EXPECT_EQ(first_rows_of_groups(groups, 2), (std::vector<int64_t>{0, 1, 2, 4, 5}));
    EXPECT_EQ(first_rows_of_groups(groups, 1), (std::vector<int64_t>{0, 1, 5}));
    EXPECT_EQ(first_rows_of_groups(groups, 99).size(), groups.size());
    EXPECT_TRUE(first_rows_of_groups({}, 1).empty());
    EXPECT_THROW(first_rows_of_groups(groups, 0), Error);
    // Without group 7 the same rows of the others stay.
    EXPECT_EQ(first_rows_of_groups(std::vector<int64_t>{3, 3, 9}, 1), (std::vector<int64_t>{0, 2}));
}

TEST(Split, IsTheSameInEveryVersion) {
    EXPECT_EQ(internal::hash_text("ward"), 8019053260991062808u);
    EXPECT_EQ(split_by_row(20, 0.3).test, (std::vector<int64_t>{1, 4, 7, 14, 16}));
}

TEST(Split, RefusesImpossibleFractions) {
    for (double fraction : {0.0, 1.0, -1.0, 2.0, std::nan("")})
        EXPECT_THROW(split_by_row(10, fraction), Error);
}

TEST(Dataset, SelectRowsTakesEverythingAlong) {
    Dataset data;
    data.example_shape = {2};
    data.inputs = {1, 2, 3, 4, 5, 6};
    data.labels = {0, 1, 2};
    data.groups = {7, 8, 9};
    data.name = std::string("n");
    const Dataset part = select_rows(data, {2, 0, 2});
    EXPECT_EQ(part.inputs, (std::vector<float>{5, 6, 1, 2, 5, 6}));
    EXPECT_EQ(part.labels, (std::vector<int64_t>{2, 0, 2}));
    EXPECT_EQ(part.groups, (std::vector<int64_t>{9, 7, 9}));
    EXPECT_TRUE(part.targets.empty());
    EXPECT_EQ(part.size(), 3);
    EXPECT_THROW(select_rows(data, {3}), Error);
    EXPECT_THROW(select_rows(data, {-1}), Error);
    EXPECT_EQ(Dataset().size(), 0);
}

}  // namespace
}  // namespace ward::data
