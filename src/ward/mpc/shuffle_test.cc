#include "ward/mpc/shuffle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>

#include "ward/core/testing/errors.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

// With either security.
void run_both(const std::function<void(Party&)>& program) {
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(program, {.security = security});
    }
}

RingMatrix counted(size_t rows, size_t cols) {
    RingMatrix out(rows, cols);
    std::iota(out.values.begin(), out.values.end(), Ring{0});
    return out;
}

TEST(Shuffle, KeepsEveryRowWhole) {
    const RingMatrix values = counted(300, 3);
    run_both([&](Party& party) {
        const SharedMatrix x = share(party, 1, party.index() == 1 ? &values : nullptr, 300, 3);
        const net::Traffic before = party.ledger().total();
        const SharedMatrix shuffled = shuffle_rows(party, x);
        EXPECT_EQ((party.ledger().total() - before).rounds, 3u);
        const RingMatrix got = open(party, shuffled);
        std::vector<Ring> firsts;
        for (size_t r = 0; r < got.rows; ++r) {
            firsts.push_back(got.values[3 * r]);
            EXPECT_EQ(got.values[3 * r + 1], firsts.back() + 1);
            EXPECT_EQ(got.values[3 * r + 2], firsts.back() + 2);
        }
        EXPECT_FALSE(std::is_sorted(firsts.begin(), firsts.end()));
        std::sort(firsts.begin(), firsts.end());
        for (size_t r = 0; r < firsts.size(); ++r) EXPECT_EQ(firsts[r], 3 * r);
    });
}

// All 24 orders of 4 rows, 4800 draws: chi-square of 23 degrees below 80 fails once in 10^8.
TEST(Shuffle, DrawsEveryOrderAlike) {
    constexpr size_t kDraws = 4800;
    const RingMatrix values = counted(4, 1);
    std::map<std::array<Ring, 4>, size_t> counts;
    run_local([&](Party& party) {
        const SharedMatrix x = share(party, 0, party.index() == 0 ? &values : nullptr, 4, 1);
        for (size_t i = 0; i < kDraws; ++i) {
            const RingMatrix got = open(party, shuffle_rows(party, x));
            std::array<Ring, 4> order;
            std::copy(got.values.begin(), got.values.end(), order.begin());
            if (party.index() == 0) ++counts[order];
        }
    });
    ASSERT_EQ(counts.size(), 24u);
    double chi = 0;
    for (const auto& [order, count] : counts) {
        const double off = static_cast<double>(count) - kDraws / 24.0;
        chi += off * off / (kDraws / 24.0);
    }
    EXPECT_LT(chi, 80);
}

TEST(Shuffle, OfNothingIsNothing) {
    run_both([](Party& party) {
        EXPECT_EQ(shuffle_rows(party, SharedMatrix(0, 4)).rows, 0u);
        const RingMatrix one = counted(1, 2);
        const SharedMatrix x = share(party, 0, party.index() == 0 ? &one : nullptr, 1, 2);
        EXPECT_EQ(open(party, shuffle_rows(party, x)).values, one.values);
    });
}

TEST(Tables, StackAndSelect) {
    const RingMatrix upper = counted(2, 2), lower = counted(1, 2);
    run_local([&](Party& party) {
        const SharedMatrix tables[] = {share_public(party, upper), share_public(party, lower)};
        EXPECT_EQ(open(party, stack_rows(tables)).values, (RingVector{0, 1, 2, 3, 0, 1}));
        const SharedMatrix beside[] = {tables[0], tables[0]};
        const SharedMatrix wide = stack_columns(beside);
        EXPECT_EQ(open(party, wide).values, (RingVector{0, 1, 0, 1, 2, 3, 2, 3}));
        EXPECT_EQ(open(party, select_columns(wide, 1, 2)).values, (RingVector{1, 0, 3, 2}));
        EXPECT_THAT(testonly::message_of([&] { (void)stack_columns(tables); }, ErrorCode::kUsage),
                    HasSubstr("table 1 has 1 rows, table 0 has 2"));
        const SharedMatrix other[] = {tables[0], SharedMatrix(1, 3)};
        EXPECT_THAT(testonly::message_of([&] { (void)stack_rows(other); }, ErrorCode::kUsage),
                    HasSubstr("table 1 has 3 columns, table 0 has 2"));
        EXPECT_THAT(
            testonly::message_of([&] { (void)select_columns(wide, 3, 2); }, ErrorCode::kUsage),
            HasSubstr("columns 3 to 5 of a table of 4 columns"));
        EXPECT_THAT(testonly::message_of([&] { (void)stack_rows({}); }, ErrorCode::kUsage),
                    HasSubstr("no tables"));
    });
}

}  // namespace
}  // namespace ward::mpc
