#include "ward/mpc/functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/twin.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

SharedMatrix shared(Party& party, const RingMatrix& values) {
    return share(party, 2, party.index() == 2 ? &values : nullptr, values.rows, values.cols);
}

// From `low` to `high` by equal factors.
RingMatrix by_magnitude(double low, double high, size_t count) {
    std::vector<double> values(count);
    for (size_t i = 0; i < count; ++i) {
        const double share = static_cast<double>(i) / static_cast<double>(count - 1);
        values[i] = low * std::pow(high / low, share);
    }
    return encode(values, 1, count, "values");
}

RingMatrix evenly(double low, double high, size_t count) {
    std::vector<double> values(count);
    for (size_t i = 0; i < count; ++i) {
        values[i] = low + (high - low) * static_cast<double>(i) / static_cast<double>(count - 1);
    }
    return encode(values, 1, count, "values");
}

// The largest error beyond 2^-15, relative to the value.
double worst_relative(const RingMatrix& x, const RingMatrix& y, double (*f)(double)) {
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        const double right = f(decode(x.values[i]));
        const double error = std::abs(decode(y.values[i]) - right) - 0x1p-15;
        worst = std::max(worst, error / std::abs(right));
    }
    return worst;
}

double worst_absolute(const RingMatrix& x, const RingMatrix& y, double (*f)(double)) {
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        worst = std::max(worst, std::abs(decode(y.values[i]) - f(decode(x.values[i]))));
    }
    return worst;
}

constexpr size_t kCount = 1500;
constexpr double kTop = 16383.9;

void check_bounds(Security security, size_t count) {
    run_local(
        [&](Party& party) {
            const auto relative = [&](const auto& function, const RingMatrix& x,
                                      double (*f)(double)) {
                return worst_relative(x, open(party, function(party, shared(party, x))), f);
            };
            const auto inverse = [](double v) { return 1 / v; };
            const auto root = [](double v) { return std::sqrt(v); };
            const auto inverse_sqrt = [](double v) { return 1 / std::sqrt(v); };
            const auto log = [](double v) { return std::log(v); };
            const auto exp = [](double v) { return std::exp(v); };
            const auto tanh = [](double v) { return std::tanh(v); };
            EXPECT_LT(relative(reciprocal, by_magnitude(0x1p-10, kTop, count), inverse), 0x1p-12);
            EXPECT_LT(relative(square_root, by_magnitude(0x1p-13, kTop, count), root), 0x1p-12);
            EXPECT_LT(relative(inverse_root, by_magnitude(0x1p-13, kTop, count), inverse_sqrt),
                      0x1p-12);
            EXPECT_LT(relative(exponential, evenly(-11, 8.99, count), exp), 0x1p-12);
            const auto absolute = [&](const auto& function, const RingMatrix& x,
                                      double (*f)(double)) {
                return worst_absolute(x, open(party, function(party, shared(party, x))), f);
            };
            EXPECT_LT(absolute(logarithm, by_magnitude(0x1p-10, kTop, count), log), 0x1p-12);
            EXPECT_LT(absolute(square_root, evenly(0, 0x1p-13, 9), root), 0x1p-7);
            EXPECT_LT(absolute(hyperbolic_tan, evenly(-20, 20, count), tanh), 0x1p-14);
        },
        {.security = security});
}

TEST(Functions, KeepTheirBoundsOverTheWholeRange) { check_bounds(Security::kSemiHonest, kCount); }

TEST(Functions, KeepThemWithSecurityAgainstDeviations) { check_bounds(Security::kMalicious, 40); }

TEST(Functions, QuotientsAreProductsWithTheReciprocal) {
    const RingMatrix x = encode(std::vector<double>{-6, 1, 1000, 0}, 1, 4, "x");
    const RingMatrix y = encode(std::vector<double>{4, 0.125, 8000, 3}, 1, 4, "y");
    run_local([&](Party& party) {
        const auto got = decode(open(party, divide(party, shared(party, x), shared(party, y))));
        EXPECT_NEAR(got[0], -1.5, 0x1p-10);
        EXPECT_NEAR(got[1], 8, 0x1p-9);
        EXPECT_NEAR(got[2], 0.125, 1000 * 0x1p-15);
        EXPECT_NEAR(got[3], 0, 0x1p-15);
        EXPECT_LE(party.ledger().total("ladder").rounds, 23u);
    });
}

TEST(Functions, TheTwinComputesTheSameUpToItsDither) {
    const RingMatrix x = by_magnitude(0x1p-13, kTop, 200);
    Twin twin(testonly::seeded_random(1));
    const RingMatrix expected = evaluate(twin, inverse_root_ladder(), x);
    run_local([&](Party& party) {
        const RingMatrix got = open(party, inverse_root(party, shared(party, x)));
        for (size_t i = 0; i < x.size(); ++i) {
            const double value = decode(expected.values[i]);
            EXPECT_NEAR(decode(got.values[i]), value, 3 * 0x1p-16 * (1 + value));
        }
    });
}

TEST(Functions, RefusesALadderThatDoesNotAscend) {
    const auto make = [](std::vector<Ladder::Rung> rungs) {
        return testonly::message_of(
            [&] {
                (void)Ladder(Spline([](double u) { return u; }, {.low = 0, .high = 1, .pieces = 2}),
                             rungs, {});
            },
            ErrorCode::kUsage);
    };
    EXPECT_THAT(make({{.from = 1}}), HasSubstr("two or more rungs that ascend, got 1"));
    EXPECT_THAT(make({{.from = 2}, {.from = 1}}), HasSubstr("ascend"));
}

}  // namespace
}  // namespace ward::mpc
