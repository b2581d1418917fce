#include "ward/mpc/psi_fast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/core/testing/errors.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> names(size_t first, size_t count) {
    std::vector<std::string> out;
    for (size_t i = 0; i < count; ++i) out.push_back("person-" + std::to_string(first + i));
    return out;
}

std::array<PsiResult, 2> run(const std::vector<std::string>& one,
                             const std::vector<std::string>& other) {
    auto [left, right] = net::local_channels("left", "right");
    std::array<PsiResult, 2> out;
    std::thread second([&, channel = right.get()] {
        out[1] = intersect_fast(*channel, PsiRole::kSecond, other, {.domain = "test"});
    });
    out[0] = intersect_fast(*left, PsiRole::kFirst, one, {.domain = "test"});
    second.join();
    return out;
}

TEST(PsiFast, FindsWhatBothHave) {
    const size_t sizes[][2] = {{1, 1}, {3, 500}, {500, 3}, {2000, 2000}, {20000, 1000}};
    for (const auto& [n, m] : sizes) {
        const auto one = names(0, n), other = names(n / 2, m);
        const auto results = run(one, other);
        std::set<std::string> common(one.begin(), one.end()), expected;
        for (const std::string& name : other) {
            if (common.contains(name)) expected.insert(name);
        }
        for (size_t side : {0u, 1u}) {
            const auto& own = side == 0 ? one : other;
            std::set<std::string> found;
            for (size_t row : results[side].rows) found.insert(own.at(row));
            EXPECT_EQ(found, expected) << n << " " << m << " " << side;
            EXPECT_EQ(results[side].size, expected.size());
            EXPECT_EQ(results[side].rows.size(), expected.size());
            EXPECT_EQ(results[side].peer_rows, side == 0 ? m : n);
        }
    }
}

TEST(PsiFast, NothingInCommonAndEmptySets) {
    EXPECT_EQ(run(names(0, 300), names(1000, 300))[0].size, 0u);
    EXPECT_EQ(run({}, names(0, 10))[1].size, 0u);
    EXPECT_EQ(run(names(0, 10), {})[0].size, 0u);
}

// Every item is in one of its bins, and in one only.
TEST(PsiFast, CuckooTablesHoldEveryItemOnce) {
    Random random = Random::from_system();
    for (size_t count : {0, 1, 100, 50'000}) {
        std::vector<internal::ItemHash> items(count);
        for (auto& item : items) random.fill(std::span<uint64_t>(item));
        const size_t bins = internal::cuckoo_bins(count);
        EXPECT_EQ(bins % 64, 0u);
        const auto table = internal::cuckoo_table(items, bins);
        ASSERT_EQ(table.size(), bins);
        std::vector<int> seen(count);
        for (size_t bin = 0; bin < bins; ++bin) {
            if (table[bin] == internal::kEmptyBin) continue;
            ++seen.at(table[bin]);
            const auto places = internal::places_of(items[table[bin]], bins);
            EXPECT_TRUE(std::ranges::find(places, bin) != places.end());
        }
        EXPECT_TRUE(std::ranges::all_of(seen, [](int times) { return times == 1; }));
    }
}

// Too many items for the bins: no table, instead of an endless walk.
TEST(PsiFast, ATableThatCannotBeIsNotMade) {
    Random random = Random::from_system();
    std::vector<internal::ItemHash> items(65);
    for (auto& item : items) random.fill(std::span<uint64_t>(item));
    EXPECT_TRUE(internal::cuckoo_table(items, 64).empty());
}

TEST(PsiFast, RefusesWhatDoesNotFit) {
    const auto message = [](PsiRole left_role, const std::string& left_domain) {
        auto [left, right] = net::local_channels("left", "right");
        std::thread second([&, channel = right.get()] {
            const auto ids = names(0, 4);
            testonly::error_of(
                [&] { (void)intersect_fast(*channel, PsiRole::kSecond, ids, {.domain = "d"}); },
                ErrorCode::kRefused);
        });
        const auto ids = names(0, 4);
        const std::string text = testonly::message_of(
            [&] { (void)intersect_fast(*left, left_role, ids, {.domain = left_domain}); },
            ErrorCode::kRefused);
        second.join();
        return text;
    };
    EXPECT_THAT(message(PsiRole::kSecond, "d"), HasSubstr("wants another intersection"));
    EXPECT_THAT(message(PsiRole::kFirst, "other"), HasSubstr("wants another intersection"));
    auto [left, right] = net::local_channels("left", "right");
    const std::vector<std::string> twice = {"a", "a"}, fine = {"a"};
    EXPECT_THAT(
        testonly::message_of([&] { (void)intersect_fast(*left, PsiRole::kFirst, twice, {}); },
                             ErrorCode::kInvalid),
        HasSubstr("stands in an earlier row"));
    EXPECT_THAT(testonly::message_of(
                    [&] {
                        (void)intersect_fast(*left, PsiRole::kFirst, fine,
                                             {.output = PsiOutput::kSize});
                    },
                    ErrorCode::kUsage),
                HasSubstr("rows, not only their number"));
}

}  // namespace
}  // namespace ward::mpc
