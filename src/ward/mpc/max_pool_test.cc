#include "ward/mpc/max_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/twin.h"
#include "ward/mpc/local.h"
#include "ward/mpc/overlap.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

SharedMatrix shared(Party& party, const RingMatrix& values) {
    return share(party, 1, party.index() == 1 ? &values : nullptr, values.rows, values.cols);
}

// Entries with ties, negative values and values far apart.
std::vector<RingMatrix> random_entries(size_t entries, size_t count) {
    Random random = testonly::seeded_random(entries);
    std::vector<RingMatrix> out;
    for (size_t e = 0; e < entries; ++e) {
        std::vector<double> values(count);
        for (double& v : values) v = std::floor(random.uniform01() * 7 - 4) * 1000;
        out.push_back(encode(values, 2, count / 2, "entries"));
    }
    return out;
}

TEST(MaxPool, FindsTheLargestAndItsPlaceAsTheTwinDoes) {
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        for (size_t entries : {1u, 2u, 4u, 5u, 9u}) {
            const std::vector<RingMatrix> plain = random_entries(entries, 80);
            Twin twin(testonly::seeded_random(1));
            const PlainLargest expected = largest(twin, plain);
            const RingMatrix gradient = random_entries(17, 80).front();
            const auto expected_way = to_winner(twin, expected.tournament, gradient);
            run_local(
                [&](Party& party) {
                    std::vector<SharedMatrix> x;
                    for (const RingMatrix& entry : plain) x.push_back(shared(party, entry));
                    const LargestResult got = largest(party, x);
                    EXPECT_EQ(open(party, got.value).values, expected.value.values);
                    const auto way = to_winner(party, got.tournament, shared(party, gradient));
                    ASSERT_EQ(way.size(), entries);
                    for (size_t e = 0; e < entries; ++e) {
                        EXPECT_EQ(open(party, way[e]).values, expected_way[e].values);
                    }
                },
                {.security = security});
        }
    }
}

TEST(MaxPool, RefusesNoValues) {
    run_local([](Party& party) {
        EXPECT_THAT(testonly::message_of([&] { largest(party, {}); }, ErrorCode::kUsage),
                    HasSubstr("largest of no values"));
    });
}

TEST(Overlap, SumsBeforeItDivides) {
    const RingMatrix x = encode(std::vector<double>{1, 2, 3, 4, 5, 6}, 3, 2, "x");
    const RingMatrix y = encode(std::vector<double>{0.5, 1, -1, 2}, 2, 2, "y");
    // Both columns of all rows into one row of two sums.
    const LinearMap map = [](const RingVector& in, RingVector& out) {
        std::fill(out.begin(), out.end(), Ring{0});
        for (size_t i = 0; i < in.size(); ++i) out[i % 2] += in[i];
    };
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(
            [&](Party& party) {
                const auto got = decode(
                    open(party, matmul_mapped_fixed(party, shared(party, x), shared(party, y), map,
                                                    1, 2, kFractionBits + 1)));
                EXPECT_NEAR(got[0], (9 * 0.5 - 12) / 2, 0x1p-14);
                EXPECT_NEAR(got[1], (9 + 24) / 2.0, 0x1p-14);
                EXPECT_THAT(testonly::message_of(
                                [&] {
                                    matmul_mapped_fixed(party, shared(party, x), shared(party, x),
                                                        map, 1, 2, 16);
                                },
                                ErrorCode::kUsage),
                            HasSubstr("as many columns as rows, got 2 and 3"));
            },
            {.security = security});
    }
}

}  // namespace
}  // namespace ward::mpc
