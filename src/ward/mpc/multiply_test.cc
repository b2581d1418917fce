#include "ward/mpc/multiply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/cpu.h"
#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/mpc/internal/matmul.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

RingMatrix random_matrix(size_t rows, size_t cols, uint64_t seed) {
    RingMatrix out(rows, cols);
    Random random = testonly::seeded_random(seed);
    random.fill(std::span<Ring>(out.values));
    return out;
}

RingMatrix product(const RingMatrix& x, const RingMatrix& y) {
    RingMatrix out(x.rows, y.cols);
    for (size_t i = 0; i < x.rows; ++i) {
        for (size_t j = 0; j < y.cols; ++j) {
            Ring sum = 0;
            for (size_t k = 0; k < x.cols; ++k) {
                sum += x.values[i * x.cols + k] * y.values[k * y.cols + j];
            }
            out.values[i * y.cols + j] = sum;
        }
    }
    return out;
}

const RingMatrix* if_owner(const Party& party, int owner, const RingMatrix& values) {
    return party.index() == owner ? &values : nullptr;
}

TEST(Share, EveryOwnersValuesComeBackToAll) {
    const RingMatrix values = random_matrix(5, 7, 1);
    run_local([&](Party& party) {
        for (int owner = 0; owner < 3; ++owner) {
            const SharedMatrix x = share(party, owner, if_owner(party, owner, values), 5, 7);
            EXPECT_EQ(open(party, x).values, values.values);
            for (int receiver = 0; receiver < 3; ++receiver) {
                const RingMatrix got = open_to(party, receiver, x);
                EXPECT_EQ(got.values, party.index() == receiver ? values.values : RingVector());
            }
        }
        EXPECT_EQ(open(party, share_public(party, values)).values, values.values);
    });
}

TEST(Share, PartsMadeOutsideOpenToTheValues) {
    const RingMatrix values = random_matrix(3, 4, 2);
    Random random = testonly::seeded_random(3);
    const auto parts = split(values, random);
    run_local([&](Party& party) {
        const SharedMatrix x = parts[static_cast<size_t>(party.index())];
        EXPECT_EQ(open(party, x).values, values.values);
    });
}

TEST(Share, RefusesAnotherShape) {
    const RingMatrix values = random_matrix(2, 2, 1);
    EXPECT_THAT(
        testonly::message_of(
            [&] {
                run_local([&](Party& party) { share(party, 0, if_owner(party, 0, values), 2, 3); });
            },
            ErrorCode::kUsage),
        HasSubstr("2 x 3, got 2 x 2"));
}

TEST(Party, RefusesAnotherJob) {
    EXPECT_THAT(testonly::message_of(
                    [&] {
                        auto [a, b] = net::local_channels("a", "b");
                        auto [c, d] = net::local_channels("a", "b");
                        b->send(1, Bytes(64, 'x'));
                        d->send(1, Bytes(64, 'x'));
                        Party party(0, std::move(a), std::move(c), {.job = "one"});
                    },
                    ErrorCode::kRefused),
                HasSubstr("\"b\" has another job"));
}

TEST(Multiply, LocalOperationsMatchTheClear) {
    const RingMatrix a = random_matrix(3, 4, 1), b = random_matrix(3, 4, 2);
    const RingMatrix row = random_matrix(1, 4, 3);
    run_local([&](Party& party) {
        const SharedMatrix x = share(party, 0, if_owner(party, 0, a), 3, 4);
        const SharedMatrix y = share(party, 1, if_owner(party, 1, b), 3, 4);
        const SharedMatrix r = share(party, 2, if_owner(party, 2, row), 1, 4);
        const RingMatrix sum = open(party, add(x, y));
        const RingMatrix difference = open(party, subtract(x, y));
        const RingMatrix shifted = open(party, add_public(party, negate(x), 5));
        const RingMatrix scaled = open(party, scale(x, 3));
        const RingMatrix turned = open(party, transpose(x));
        const RingMatrix with_row = open(party, add_row(x, r));
        const RingMatrix columns = open(party, sum_rows(x));
        const RingMatrix rows = open(party, sum_columns(x));
        for (size_t i = 0; i < a.size(); ++i) {
            EXPECT_EQ(sum.values[i], a.values[i] + b.values[i]);
            EXPECT_EQ(difference.values[i], a.values[i] - b.values[i]);
            EXPECT_EQ(shifted.values[i], 5 - a.values[i]);
            EXPECT_EQ(scaled.values[i], 3 * a.values[i]);
            EXPECT_EQ(turned.values[i % 4 * 3 + i / 4], a.values[i]);
            EXPECT_EQ(with_row.values[i], a.values[i] + row.values[i % 4]);
        }
        EXPECT_EQ(columns.values[2], a.values[2] + a.values[6] + a.values[10]);
        EXPECT_EQ(rows.values[1], a.values[4] + a.values[5] + a.values[6] + a.values[7]);
        EXPECT_EQ(open(party, repeat_column(sum_columns(x), 2)).values[3], rows.values[1]);
        const size_t wanted[] = {2, 0};
        EXPECT_EQ(open(party, select_rows(x, wanted)).values[1], a.values[9]);
    });
}

TEST(Multiply, ProductsAreExactInTheRingAndCostOneElementPerParty) {
    const RingMatrix a = random_matrix(13, 70, 4), b = random_matrix(70, 31, 5);
    const RingMatrix expected = product(a, b);
    run_local([&](Party& party) {
        const SharedMatrix x = share(party, 0, if_owner(party, 0, a), 13, 70);
        const SharedMatrix y = share(party, 1, if_owner(party, 1, b), 70, 31);
        EXPECT_EQ(open(party, matmul(party, x, y)).values, expected.values);
        const net::Traffic cost = party.ledger().total("matmul");
        EXPECT_EQ(cost.bytes_sent, 13 * 31 * 8 + net::kFrameHeaderBytes);
        EXPECT_EQ(cost.rounds, 1u);
        const RingMatrix squares = open(party, multiply(party, x, x));
        for (size_t i = 0; i < a.size(); ++i) {
            EXPECT_EQ(squares.values[i], a.values[i] * a.values[i]);
        }
    });
}

// Three in one exchange: with an addend, without factors, and without an addend. Multiples of the
// divisor are exact for semi-honest parties and less than 1.5 units off for others.
TEST(Multiply, ProductsMayLackTheirFactorsOrTheirAddend) {
    constexpr int kShift = 12;
    const RingMatrix x = encode(std::vector<double>{1, -2, 3, 0.5, 4, 8}, 2, 3, "x"),
                     y = encode(std::vector<double>{2, 1, -1}, 3, 1, "y");
    const RingMatrix addend = encode(std::vector<double>{7, -7}, 2, 1, "addend");
    const auto shares_of = [](Party& party, const RingMatrix& values) {
        return share(party, 1, if_owner(party, 1, values), values.rows, values.cols);
    };
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        const Ring slack = security == Security::kMalicious ? 1 : 0;
        const auto program = [&](Party& party) {
            const SharedMatrix a = shares_of(party, x), b = shares_of(party, y),
                               c = shares_of(party, addend);
            const SharedMatrix scaled = scale(c, Ring{1} << kFractionBits);
            const Product products[] = {
                {.x = &a, .y = &b, .addend = &scaled}, {.addend = &c}, {.x = &a, .y = &b}};
            const std::vector<SharedMatrix> got = matmul_fixed(party, products, kShift);
            const RingMatrix p = product(x, y);
            for (size_t i = 0; i < 2; ++i) {
                const Ring sums[] = {p.values[i] + (addend.values[i] << kFractionBits),
                                     addend.values[i], p.values[i]};
                for (size_t k = 0; k < 3; ++k) {
                    const RingMatrix opened = open(party, got[k]);
                    const auto expected =
                        static_cast<Ring>(static_cast<int64_t>(sums[k]) >> kShift);
                    EXPECT_LE(opened.values[i] - expected + slack, 2 * slack) << k << " " << i;
                }
            }
            const Product half[] = {{.x = &a}}, nothing[] = {Product{}};
            for (const auto& wrong : {half, nothing}) {
                EXPECT_THAT(testonly::message_of(
                                [&] { (void)matmul_fixed(party, std::span(wrong, 1), kShift); },
                                ErrorCode::kUsage),
                            HasSubstr("two factors, or none and an addend"));
            }
        };
        run_local(program, {.security = security});
    }
}

TEST(Multiply, RefusesShapesThatDoNotFit) {
    run_local([](Party& party) {
        const SharedMatrix x = share_public(party, random_matrix(2, 3, 1));
        EXPECT_THAT(testonly::message_of([&] { matmul(party, x, x); }, ErrorCode::kUsage),
                    HasSubstr("2 x 3 times 2 x 3"));
        EXPECT_THAT(testonly::message_of([&] { add(x, transpose(x)); }, ErrorCode::kUsage),
                    HasSubstr("2 x 3 and 3 x 2"));
    });
}

TEST(Multiply, AllTileKernelsAgree) {
    for (const auto& [rows, inner, cols] :
         {std::array<size_t, 3>{1, 1, 1}, {8, 256, 24}, {9, 300, 25}, {130, 70, 260}}) {
        const RingMatrix a = random_matrix(rows, inner, 6), b = random_matrix(inner, cols, 7);
        const RingMatrix expected = product(a, b);
        std::vector<internal::TileKernel> kernels = {internal::tile_scalar};
        if (cpu_features().avx2) kernels.push_back(internal::tile_avx2);
        if (cpu_features().avx512) kernels.push_back(internal::tile_avx512);
        for (const internal::TileKernel kernel : kernels) {
            RingMatrix got(rows, cols);
            std::fill(got.values.begin(), got.values.end(), Ring{0});
            internal::matmul_accumulate_with(kernel, a.values.data(), b.values.data(),
                                             got.values.data(), rows, inner, cols);
            EXPECT_EQ(got.values, expected.values);
        }
    }
}

TEST(FixedPoint, RefusesValuesOutOfRangeWithRowAndColumn) {
    const std::vector<double> values = {1, 2, 3, -32768.0};
    EXPECT_THAT(testonly::message_of([&] { encode(values, 2, 2, "bank_a.csv"); }),
                HasSubstr("bank_a.csv: row 1, column 1"));
    const std::vector<double> nan = {std::nan("")};
    EXPECT_THAT(testonly::message_of([&] { encode(nan, 1, 1, "x"); }), HasSubstr("row 0"));
    EXPECT_EQ(decode(encode(std::vector<double>{-1.5}, 1, 1, "x").values[0]), -1.5);
}

// ---- truncation

void expect_within_one(const RingMatrix& got, const RingMatrix& x, int shift) {
    for (size_t i = 0; i < x.size(); ++i) {
        const bool exact = (x.values[i] & ((Ring{1} << shift) - 1)) == 0;
        const int64_t floor = static_cast<int64_t>(x.values[i]) >> shift;
        const int64_t error = static_cast<int64_t>(got.values[i]) - floor;
        EXPECT_TRUE(error == 0 || error == (exact ? 0 : 1)) << "value " << i << " shift " << shift;
    }
}

// Every magnitude up to the limit, both signs, at the limit itself.
RingMatrix extremes() {
    RingMatrix x(2, 124);
    for (size_t bit = 0; bit < 62; ++bit) {
        const Ring power = Ring{1} << bit;
        x.values[4 * bit] = power;
        x.values[4 * bit + 1] = 0 - power;
        x.values[4 * bit + 2] = 2 * power - 1;
        x.values[4 * bit + 3] = 0 - (2 * power - 1);
    }
    return x;
}

TEST(Truncate, IsNeverOffByMoreThanTheRoundingUpToTheLimit) {
    const RingMatrix x = extremes();
    for (int shift : {1, 13, 16, 17, 32, 33, 62}) {
        run_local([&](Party& party) {
            const SharedMatrix s = share(party, 0, if_owner(party, 0, x), x.rows, x.cols);
            for (int pivot = 0; pivot < 3; ++pivot) {
                expect_within_one(open(party, truncate(party, s, shift)), x, shift);
            }
        });
    }
}

TEST(Truncate, OfAProductTakesTheRoundsAndBytesItSays) {
    const RingMatrix x = extremes();
    RingMatrix one(x.rows, x.cols);
    std::fill(one.values.begin(), one.values.end(), Ring{1});
    const size_t n = x.size();
    std::array<net::Traffic, 3> costs;
    run_local([&](Party& party) {
        const SharedMatrix s = share(party, 0, if_owner(party, 0, x), x.rows, x.cols);
        const SharedMatrix u = share(party, 1, if_owner(party, 1, one), x.rows, x.cols);
        expect_within_one(open(party, multiply_fixed(party, s, u)), x, 16);
        costs[static_cast<size_t>(party.index())] = party.ledger().total("multiply_fixed");
        EXPECT_EQ(party.ledger().total("multiply_fixed").rounds, 3u);
    });
    uint64_t bytes = 0, messages = 0;
    for (const auto& cost : costs) bytes += cost.bytes_sent, messages += cost.messages_sent;
    EXPECT_EQ(bytes, n * (3 * 8 + 3 * 2) + messages * net::kFrameHeaderBytes);
}

TEST(Truncate, FastModeIsWithinOneForSmallValues) {
    const RingMatrix x = [] {
        RingMatrix values(1, 1000);
        Random random = testonly::seeded_random(9);
        for (Ring& value : values.values) value = random.below(1 << 20) - (1 << 19);
        return values;
    }();
    run_local(
        [&](Party& party) {
            const SharedMatrix s = share(party, 0, if_owner(party, 0, x), 1, 1000);
            expect_within_one(open(party, truncate(party, s, 16)), x, 16);
            EXPECT_EQ(party.ledger().total("truncate").rounds, 1u);
        },
        {.job = "", .truncation = Truncation::kFast});
}

TEST(Truncate, HasNoBias) {
    // 40,000 values with fraction 0.3: the mean of the errors has a deviation of
    // sqrt(0.3 * 0.7 / 40000) = 0.0023 units; 6 of them are exceeded once in 5e8 runs.
    constexpr size_t kCount = 40'000;
    RingMatrix x(1, kCount);
    const Ring fraction = 19661;  // 0.3 * 2^16
    for (size_t i = 0; i < kCount; ++i) x.values[i] = ((i - kCount / 2) << 16) + fraction;
    RingMatrix one(1, kCount);
    std::fill(one.values.begin(), one.values.end(), Ring{1});
    run_local([&](Party& party) {
        const SharedMatrix s = share(party, 0, if_owner(party, 0, x), 1, kCount);
        const SharedMatrix u = share(party, 1, if_owner(party, 1, one), 1, kCount);
        const RingMatrix got = open(party, multiply_fixed(party, s, u));
        double mean = 0;
        for (size_t i = 0; i < kCount; ++i) {
            mean += static_cast<double>(static_cast<int64_t>(got.values[i] - (i - kCount / 2)));
        }
        EXPECT_NEAR(mean / kCount, 0.3, 0.014);
    });
}

}  // namespace
}  // namespace ward::mpc
