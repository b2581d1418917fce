#include "ward/mpc/softmax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/twin.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"
#include "ward/mpc/spline.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

SharedMatrix shared(Party& party, const RingMatrix& values) {
    return share(party, 2, party.index() == 2 ? &values : nullptr, values.rows, values.cols);
}

RingMatrix grid(double low, double high, size_t count) {
    std::vector<double> values(count);
    for (size_t i = 0; i < count; ++i) {
        values[i] = low + (high - low) * static_cast<double>(i) / static_cast<double>(count - 1);
    }
    return encode(values, 1, count, "grid");
}

double worst_error(const RingMatrix& x, const RingMatrix& y, double (*function)(double)) {
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        worst = std::max(worst, std::abs(decode(y.values[i]) - function(decode(x.values[i]))));
    }
    return worst;
}

TEST(Spline, TablesKeepTheirBounds) {
    EXPECT_LT(sigmoid_spline().max_error(), 0x1p-15);
    EXPECT_LT(exp_negative_spline().max_error(), 0x1p-15);
    EXPECT_LT(reciprocal_spline().max_error(), 0x1p-15);
    EXPECT_THAT(testonly::message_of([] { Spline([](double x) { return 10 * x; }, {}); }),
                HasSubstr("must be below 4"));
    EXPECT_THAT(
        testonly::message_of([] { Spline([](double x) { return x; }, {.low = 1, .high = 1}); },
                             ErrorCode::kUsage),
        HasSubstr("low < high"));
}

TEST(Spline, SharedFunctionsKeepTheirBoundsEverywhere) {
    const RingMatrix wide = grid(-40, 40, 3001), positive = grid(0, 30, 3001);
    const RingMatrix above_one = grid(1, 64, 3001), far = grid(-16000, 16000, 65);
    run_local([&](Party& party) {
        const auto error = [&](const Spline& spline, const RingMatrix& x, double (*f)(double)) {
            return worst_error(x, open(party, evaluate(party, spline, shared(party, x))), f);
        };
        const auto logistic = [](double v) { return 1 / (1 + std::exp(-v)); };
        EXPECT_LT(error(sigmoid_spline(), wide, logistic), 0x1p-14);
        EXPECT_LT(error(sigmoid_spline(), far, logistic), 0x1p-14);
        EXPECT_LT(error(exp_negative_spline(), positive, [](double v) { return std::exp(-v); }),
                  0x1p-14);
        EXPECT_LT(error(reciprocal_spline(), above_one, [](double v) { return 1 / v; }), 0x1p-14);
    });
}

// Up to the bound of 4 in both worlds, of both signs, at the top of a piece and beyond the ends.
TEST(Spline, ValuesOfTwoAndMoreAreVerifiedToo) {
    const auto wave = [](double v) { return 3.99 * std::sin(v); };
    const Spline spline(wave, {.low = -3, .high = 3, .pieces = 40});
    EXPECT_EQ(spline.term_bits(), 59);
    EXPECT_EQ(sigmoid_spline().term_bits(), 60);
    const RingMatrix x = grid(-3, 3, 1001), beyond = grid(-1000, 1000, 2);
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(
            [&](Party& party) {
                const RingMatrix y = open(party, evaluate(party, spline, shared(party, x)));
                EXPECT_LT(worst_error(x, y, wave), spline.max_error() + 0x1p-14);
                const RingMatrix ends = open(party, evaluate(party, spline, shared(party, beyond)));
                EXPECT_NEAR(decode(ends.values[1]), wave(3), 0x1p-14);
            },
            {.security = security});
    }
    Twin twin(testonly::seeded_random(3));
    EXPECT_LT(worst_error(x, evaluate(twin, spline, x), wave), spline.max_error() + 0x1p-14);
    // A top between the ends of a piece counts.
    const auto hill = [](double v) { return 3 - v * v; };
    EXPECT_EQ(Spline(hill, {.low = -1.7, .high = 1.7, .pieces = 2}).term_bits(), 59);
    EXPECT_THAT(testonly::message_of([] {
                    Spline([](double v) { return 5 - v * v; },
                           {.low = -2.2, .high = 2.2, .pieces = 2});
                }),
                HasSubstr("must be below 4"));
    EXPECT_THAT(testonly::message_of(
                    [] { Spline([](double v) { return v; }, {.above = 4, .keep_ends = false}); }),
                HasSubstr("must be below 4"));
}

TEST(Spline, IsTheTableInTheClearUpToTheLastDivision) {
    const RingMatrix x = grid(-13, 13, 500);
    run_local([&](Party& party) {
        const RingMatrix y = open(party, sigmoid(party, shared(party, x)));
        for (size_t i = 0; i < x.size(); ++i) {
            const auto raw = static_cast<int64_t>(sigmoid_spline().evaluate_raw(x.values[i]));
            const int64_t difference = static_cast<int64_t>(y.values[i]) - (raw >> 44);
            EXPECT_TRUE(difference == 0 || difference == 1);
        }
        EXPECT_LE(party.ledger().total("sigmoid").rounds, 10u);
    });
}

TEST(Softmax, MaximaWithTiesAndNegativeValues) {
    const RingMatrix x =
        encode(std::vector<double>{3, 3, 1, -5, -7, -5, 0, 0.5, -900, 2, 1, 2}, 4, 3, "x");
    run_local([&](Party& party) {
        const RingMatrix got = open(party, row_max(party, shared(party, x)));
        EXPECT_EQ(decode(got), (std::vector<double>{3, -5, 0.5, 2}));
    });
}

TEST(Softmax, MaximaOfManyColumns) {
    const RingMatrix x = grid(-700, 700, 6 * 37);
    const RingMatrix rows = [&] {
        RingMatrix out(6, 37);
        for (size_t i = 0; i < out.size(); ++i) out.values[i] = x.values[i * 101 % out.size()];
        return out;
    }();
    run_local([&](Party& party) {
        const std::vector<double> got = decode(open(party, row_max(party, shared(party, rows))));
        const std::vector<double> values = decode(rows);
        for (size_t r = 0; r < 6; ++r) {
            const auto row = values.begin() + static_cast<std::ptrdiff_t>(r * 37);
            EXPECT_EQ(got[r], *std::max_element(row, row + 37));
        }
    });
}

void check_softmax(size_t rows, size_t cols, uint64_t max_rounds) {
    Random random = testonly::seeded_random(5);
    std::vector<double> values(rows * cols);
    for (size_t i = 0; i < values.size(); ++i) {
        values[i] = (random.uniform01() - 0.5) * static_cast<double>(1 + i / cols);
    }
    const RingMatrix x = encode(values, rows, cols, "x");
    run_local([&](Party& party) {
        const std::vector<double> got = decode(open(party, softmax(party, shared(party, x))));
        for (size_t r = 0; r < rows; ++r) {
            double sum = 0;
            for (size_t c = 0; c < cols; ++c) sum += std::exp(values[r * cols + c]);
            for (size_t c = 0; c < cols; ++c) {
                EXPECT_NEAR(got[r * cols + c], std::exp(values[r * cols + c]) / sum, 0x1p-12);
            }
        }
        EXPECT_LE(party.ledger().total("softmax").rounds, max_rounds);
    });
}

TEST(Softmax, MatchesTheDefinition) {
    check_softmax(70, 10, 36);
    check_softmax(9, 65, 85);
    check_softmax(2, 1000, 106);
}

TEST(Softmax, RefusesTooManyColumns) {
    run_local([](Party& party) {
        EXPECT_THAT(
            testonly::message_of([&] { softmax(party, SharedMatrix(1, 5000)); }, ErrorCode::kUsage),
            HasSubstr("at most 4096 columns, got 5000"));
    });
}

}  // namespace
}  // namespace ward::mpc
