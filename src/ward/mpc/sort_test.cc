#include "ward/mpc/sort.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "ward/core/testing/errors.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"
#include "ward/mpc/shuffle.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

// With either security.
void run_both(const std::function<void(Party&)>& program) {
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(program, {.security = security});
    }
}

RingMatrix with_keys(const std::vector<int64_t>& keys) {
    RingMatrix out(keys.size(), 2);
    for (size_t r = 0; r < keys.size(); ++r) {
        out.values[2 * r] = static_cast<Ring>(r);
        out.values[2 * r + 1] = static_cast<Ring>(keys[r]);
    }
    return out;
}

std::vector<int64_t> random_keys(size_t count, int64_t below) {
    std::mt19937_64 generator(7);
    std::vector<int64_t> out(count);
    for (int64_t& key : out) {
        key = static_cast<int64_t>(generator() % static_cast<uint64_t>(2 * below)) - below;
    }
    return out;
}

void expect_sorted(const std::vector<int64_t>& keys, int key_bits) {
    const RingMatrix values = with_keys(keys);
    std::vector<size_t> order(keys.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return keys[a] < keys[b]; });
    run_both([&](Party& party) {
        const SharedMatrix x =
            share(party, 2, party.index() == 2 ? &values : nullptr, keys.size(), 2);
        const RingMatrix got = open(party, sort_rows(party, x, 1, key_bits));
        for (size_t r = 0; r < keys.size(); ++r) {
            ASSERT_EQ(got.values[2 * r], order[r]) << "place " << r;
            ASSERT_EQ(static_cast<int64_t>(got.values[2 * r + 1]), keys[order[r]]);
        }
    });
}

TEST(Sort, IsStableForManyEqualKeys) {
    expect_sorted(random_keys(1000, 8), 4);
    expect_sorted(std::vector<int64_t>(300, 5), 8);
}

TEST(Sort, OfEverySmallSize) {
    for (size_t count = 0; count < 12; ++count) expect_sorted(random_keys(count, 1 << 20), 21);
}

// 256 is the longest list without a sample.
TEST(Sort, AroundTheSizesThatTakeASample) {
    for (size_t count : {255, 256, 257, 300, 9000}) {
        expect_sorted(random_keys(count, int64_t{1} << 45), 46);
    }
}

TEST(Sort, OfSortedAndReversedRows) {
    std::vector<int64_t> keys(600);
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = static_cast<int64_t>(i) - 300;
    expect_sorted(keys, 16);
    std::reverse(keys.begin(), keys.end());
    expect_sorted(keys, 16);
}

TEST(Sort, OfDistinctKeysUpToTheLargest) {
    std::vector<int64_t> keys = {(int64_t{1} << 62) - 1, -(int64_t{1} << 62), 0, 1, -1, 77};
    const RingMatrix values = with_keys(keys);
    std::sort(keys.begin(), keys.end());
    run_both([&](Party& party) {
        const SharedMatrix x =
            share(party, 0, party.index() == 0 ? &values : nullptr, keys.size(), 2);
        const RingMatrix got = open(party, sort_distinct_rows(party, x, 1));
        for (size_t r = 0; r < keys.size(); ++r) {
            EXPECT_EQ(static_cast<int64_t>(got.values[2 * r + 1]), keys[r]);
        }
    });
}

// Distinct keys: at most 1.6 n log2 n comparisons opened, counted by the bytes of the comparisons.
TEST(Sort, TakesAboutNLogNComparisons) {
    constexpr size_t kRows = 8192;
    const RingMatrix values = with_keys(random_keys(kRows, int64_t{1} << 50));
    run_local([&](Party& party) {
        const SharedMatrix x = share(party, 0, party.index() == 0 ? &values : nullptr, kRows, 2);
        (void)sort_distinct_rows(party, x, 1);
        const double bytes = static_cast<double>(party.ledger().total("sort/open").bytes_sent) * 8;
        EXPECT_LT(bytes, 1.6 * kRows * 13);
        EXPECT_GT(bytes, kRows * 11);
    });
}

TEST(Sort, RefusesKeysThatLeaveNoRoomForRows) {
    run_both([](Party& party) {
        const SharedMatrix x(8, 2);
        EXPECT_THAT(
            testonly::message_of([&] { (void)sort_rows(party, x, 1, 61); }, ErrorCode::kUsage),
            HasSubstr("8 rows takes keys of 1 to 60 bits, got 61"));
        EXPECT_THAT(
            testonly::message_of([&] { (void)sort_rows(party, x, 2, 8); }, ErrorCode::kUsage),
            HasSubstr("no column 2 in a table of 2 columns"));
        EXPECT_THAT(testonly::message_of([&] { (void)sort_distinct_rows(party, x, 0, 64); },
                                         ErrorCode::kUsage),
                    HasSubstr("1 to 63 bits, got 64"));
    });
}

TEST(Partition, PutsOnesFirstInTheirOrder) {
    constexpr size_t kRows = 200;
    const std::vector<int64_t> keys = random_keys(kRows, 100);
    const RingMatrix values = with_keys(keys);
    run_both([&](Party& party) {
        const SharedMatrix x = share(party, 0, party.index() == 0 ? &values : nullptr, kRows, 2);
        const SharedBits negative = is_negative(party, select_columns(x, 1, 1));
        const RingMatrix got = open(party, partition_rows(party, x, negative));
        std::vector<Ring> expected;
        for (const bool wanted : {true, false}) {
            for (size_t r = 0; r < kRows; ++r) {
                if ((keys[r] < 0) == wanted) expected.push_back(r);
            }
        }
        for (size_t r = 0; r < kRows; ++r) EXPECT_EQ(got.values[2 * r], expected[r]);
    });
}

}  // namespace
}  // namespace ward::mpc
