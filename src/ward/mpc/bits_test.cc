#include "ward/mpc/bits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/mpc/internal/bit_planes.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

Ring bit(const RingVector& words, size_t i) { return words[i / 64] >> (i % 64) & 1; }

SharedMatrix shared(Party& party, const RingMatrix& values) {
    const int owner = 1;
    return share(party, owner, party.index() == owner ? &values : nullptr, values.rows,
                 values.cols);
}

// Every power of two and its neighbours, both signs, and random values.
RingMatrix edge_values(int bits) {
    RingMatrix x(1, 64 * 8 + 77);
    Random random = testonly::seeded_random(static_cast<uint64_t>(bits));
    for (size_t i = 0; i < x.size(); ++i) {
        const Ring power = Ring{1} << (i / 8 % static_cast<size_t>(bits));
        const Ring near = power + i % 4 - 1;
        Ring value = i >= 512 ? random.next_u64() : (i % 8 < 4 ? near : 0 - near);
        const int unused = 64 - bits;
        value = static_cast<Ring>(static_cast<int64_t>(value << unused) >> unused);
        x.values[i] = value;
    }
    return x;
}

TEST(BitPlanes, TransposesWhatTheDefinitionSays) {
    std::array<uint64_t, 64> words, turned;
    testonly::seeded_random(1).fill(std::span<uint64_t>(words));
    turned = words;
    internal::transpose_64x64(turned.data());
    for (size_t i = 0; i < 64; ++i) {
        for (size_t j = 0; j < 64; ++j) EXPECT_EQ(turned[j] >> i & 1, words[i] >> j & 1);
    }
}

TEST(BitPlanes, LevelsAndCarriesOfAllPairsOfGroups) {
    for (size_t width = 1; width <= 4; ++width) {
        for (uint64_t a = 0; a < uint64_t{1} << width; ++a) {
            std::array<uint64_t, 4> a_bits{}, b_bits{};
            for (size_t j = 0; j < width; ++j) a_bits[j] = a >> j & 1;
            std::array<uint64_t, 15> levels{};
            internal::group_levels(a_bits.data(), width, levels.data());
            for (uint64_t t = 1; t < uint64_t{1} << width; ++t) {
                EXPECT_EQ(levels[t - 1] & 1, a >= t ? 1u : 0u) << a << " " << t;
            }
            for (uint64_t b = 0; b < uint64_t{1} << width; ++b) {
                for (size_t j = 0; j < width; ++j) b_bits[j] = 0 - (b >> j & 1);
                const auto carry =
                    internal::choose_carry(levels.data(), ~uint64_t{0}, b_bits.data(), width);
                EXPECT_EQ(carry.generate & 1, (a + b) >> width);
                EXPECT_EQ(carry.propagate & 1, a + b + 1 == uint64_t{1} << width ? 1u : 0u);
            }
        }
    }
}

TEST(Bits, LogicMatchesTheClear) {
    run_local([](Party& party) {
        const SharedMatrix x = shared(party, edge_values(64));
        const SharedBits a = is_negative(party, x);
        const SharedBits b = is_negative(party, shared(party, edge_values(60)));
        const RingVector ca = open(party, a), cb = open(party, b);
        const RingVector both = open(party, bit_and(party, a, b));
        const RingVector differ = open(party, bit_xor(a, b));
        const RingVector inverse = open(party, bit_not(party, a));
        for (size_t i = 0; i < x.size(); ++i) {
            EXPECT_EQ(bit(both, i), bit(ca, i) & bit(cb, i));
            EXPECT_EQ(bit(differ, i), bit(ca, i) ^ bit(cb, i));
            EXPECT_EQ(bit(inverse, i), 1 - bit(ca, i));
        }
    });
}

TEST(Bits, SignsOfAllMagnitudesAndWidths) {
    for (int bits : {2, 3, 5, 6, 17, 32, 33, 48, 63, 64}) {
        const RingMatrix x = edge_values(bits);
        run_local([&](Party& party) {
            const SharedMatrix s = shared(party, x);
            for (int pivot = 0; pivot < 3; ++pivot) {
                const RingVector got = open(party, is_negative(party, s, bits));
                for (size_t i = 0; i < x.size(); ++i) {
                    ASSERT_EQ(bit(got, i), x.values[i] >> 63) << x.values[i] << " bits " << bits;
                }
            }
        });
    }
}

TEST(Bits, ComparisonTakesSixRounds) {
    run_local([](Party& party) {
        is_negative(party, shared(party, edge_values(64)));
        EXPECT_EQ(party.ledger().total("compare").rounds, 6u);
    });
}

// Ends of all kinds: both signs, neighbours, one that no value reaches, coarse and fine grids.
void check_at_least(const PartyOptions& options) {
    const std::vector<std::vector<int64_t>> cases = {
        {0}, {-8, 0, 8}, {-5, -1, 1, 2, 3}, {-1 << 14, -1 << 12, 3 << 12, (1 << 15) - 1}, {16}};
    for (int bits : {17, 18, 32, 63, 64}) {
        const RingMatrix values = edge_values(bits);
        for (const auto& wanted : cases) {
            std::vector<Ring> ends;
            for (int64_t end : wanted) ends.push_back(static_cast<Ring>(end));
            RingMatrix x = values;
            // Differences from the ends must have as many bits.
            for (Ring& value : x.values) {
                value = static_cast<Ring>(static_cast<int64_t>(value) / 4 * (bits > 17 ? 2 : 1));
            }
            run_local(
                [&](Party& party) {
                    const SharedBits all = at_least(party, shared(party, x), ends, bits);
                    ASSERT_EQ(all.count, ends.size() * padded_bits(x.size()));
                    const RingVector got = open(party, all);
                    for (size_t k = 0; k < ends.size(); ++k) {
                        for (size_t i = 0; i < x.size(); ++i) {
                            ASSERT_EQ(bit(got, k * padded_bits(x.size()) + i),
                                      static_cast<int64_t>(x.values[i]) >= wanted[k] ? 1u : 0u)
                                << x.values[i] << " end " << wanted[k] << " bits " << bits;
                        }
                    }
                },
                options);
        }
    }
}

TEST(Bits, ComparisonsWithSeveralPublicNumbers) { check_at_least({}); }

TEST(Bits, ComparisonsWithSeveralPublicNumbersAgainstDeviations) {
    check_at_least({.security = Security::kMalicious});
}

TEST(Bits, ReluAndConversionsMatchTheClear) {
    const RingMatrix x = edge_values(64);
    run_local([&](Party& party) {
        const SharedMatrix s = shared(party, x);
        for (int pivot = 0; pivot < 3; ++pivot) {
            const auto [value, active] = relu(party, s);
            const RingMatrix got = open(party, value);
            const RingMatrix as_ring = open(party, to_ring(party, active, 1, x.size()));
            for (size_t i = 0; i < x.size(); ++i) {
                const bool negative = x.values[i] >> 63 != 0;
                EXPECT_EQ(got.values[i], negative ? 0 : x.values[i]);
                EXPECT_EQ(as_ring.values[i], negative ? 0u : 1u);
            }
        }
        EXPECT_EQ(party.ledger().total("relu").rounds, 24u);
    });
}

TEST(Bits, SumsOfSelectedTerms) {
    const RingMatrix x = edge_values(64), y = edge_values(33);
    run_local([&](Party& party) {
        const std::vector<SharedMatrix> terms = {shared(party, x), shared(party, y)};
        const std::vector<SharedBits> bits = {is_negative(party, terms[1]),
                                              is_nonnegative(party, terms[0])};
        const RingMatrix got = open(party, select_sum(party, bits, terms));
        for (size_t i = 0; i < x.size(); ++i) {
            EXPECT_EQ(got.values[i], (y.values[i] >> 63 != 0 ? x.values[i] : 0) +
                                         (x.values[i] >> 63 != 0 ? 0 : y.values[i]));
        }
    });
}

TEST(Bits, RefusesWrongCountsAndWidths) {
    run_local([](Party& party) {
        const SharedMatrix x = share_public(party, RingMatrix(2, 3));
        EXPECT_THAT(testonly::message_of([&] { is_negative(party, x, 65); }, ErrorCode::kUsage),
                    HasSubstr("2 to 64 bits, got 65"));
        EXPECT_THAT(
            testonly::message_of([&] { select(party, SharedBits(5), x); }, ErrorCode::kUsage),
            HasSubstr("5 bits and 6 values"));
        EXPECT_THAT(testonly::message_of([&] { at_least(party, x, {}, 32); }, ErrorCode::kUsage),
                    HasSubstr("at least one number"));
        const Ring wide[] = {1, 128};
        EXPECT_THAT(testonly::message_of([&] { at_least(party, x, wide, 8); }, ErrorCode::kUsage),
                    HasSubstr("more than 8 bits: 128"));
    });
}

}  // namespace
}  // namespace ward::mpc
