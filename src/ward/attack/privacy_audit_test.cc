#include "ward/attack/privacy_audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "ward/attack/interval.h"
#include "ward/core/testing/errors.h"
#include "ward/dp/calibrate.h"
#include "ward/dp/gaussian.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

constexpr double kDelta = 1e-5;

// One Gaussian step that sees all canaries, with this epsilon.
AuditClaim gaussian_claim(double epsilon) {
    return {epsilon, kDelta, {1, dp::gaussian_sigma(epsilon, kDelta), 1}};
}

AuditGame gaussian_game(int64_t canaries, double sigma, uint64_t seed) {
    std::mt19937_64 generator(seed);
    std::normal_distribution<double> normal;
    AuditGame game;
    for (int64_t i = 0; i < canaries; ++i) {
        game.inserted.push_back(generator() % 2);
        game.scores.push_back(game.inserted.back() + sigma * normal(generator));
    }
    return game;
}

// Without delta the theorem says: no better than a biased coin for each guess.
TEST(OneRun, PureBoundIsABinomialTail) {
    for (const double epsilon : {0.0, 0.5, 2.0}) {
        const double p = 1 / (1 + std::exp(-epsilon));
        EXPECT_NEAR(one_run_p_value(500, 100, 80, epsilon, 0), binomial_tail(100, 80, p), 1e-12);
    }
    // All of r guesses right: p^r = 0.05.
    const double p = std::pow(0.05, 1.0 / 100);
    EXPECT_NEAR(one_run_epsilon(1000, 100, 100, 0), std::log(p / (1 - p)), 1e-9);
    EXPECT_EQ(one_run_epsilon(1000, 100, 50, 0), 0) << "as good as guessing";
    EXPECT_LT(one_run_epsilon(1000, 100, 95, 0, 0.99), one_run_epsilon(1000, 100, 95, 0, 0.95));
}

// The definition, with the maximum over all i.
TEST(OneRun, DeltaTermIsItsDefinition) {
    const int64_t m = 2000, r = 60, v = 55;
    const double epsilon = 1.5, delta = 1e-4, p = 1 / (1 + std::exp(-epsilon));
    double alpha = 0;
    for (int64_t i = 1; i <= v; ++i) {
        const double between = binomial_tail(r, v - i, p) - binomial_tail(r, v, p);
        alpha = std::max(alpha, between / static_cast<double>(i));
    }
    const double expected = binomial_tail(r, v, p) + 2 * 2000 * delta * alpha;
    EXPECT_NEAR(one_run_p_value(m, r, v, epsilon, delta), expected, 1e-10);
    EXPECT_LT(one_run_epsilon(m, r, v, delta), one_run_epsilon(m, r, v, 0));
}

TEST(TradeOff, PairAndInverse) {
    const TradeOff curve = TradeOff::of_pair(1, 0.01);
    EXPECT_NEAR(curve.most_true_positives(0), 0.01, 1e-15);
    EXPECT_NEAR(curve.most_true_positives(0.1), 0.1 * std::exp(1) + 0.01, 1e-15);
    EXPECT_NEAR(curve.most_true_positives(0.9), 1 - (0.99 - 0.9) / std::exp(1), 1e-15);
    for (const double x : {0.001, 0.05, 0.3, 0.6, 0.95})
        EXPECT_NEAR(curve.least_false_positives(curve.most_true_positives(x)), x, 1e-12);
}

TEST(TradeOff, OfAGaussianLiesJustAboveTheNormalCurve) {
    for (const double epsilon : {0.5, 3.0, 8.0}) {
        const double sigma = dp::gaussian_sigma(epsilon, kDelta);
        const TradeOff curve = TradeOff::of_mechanism({1, sigma, 1});
        for (const double x : {1e-4, 0.01, 0.1, 0.3, 0.5, 0.8}) {
            const double truth = normal_cdf(normal_quantile(x) + 1 / sigma);
            EXPECT_GE(curve.most_true_positives(x), truth - 1e-12) << epsilon << " " << x;
            EXPECT_LE(curve.most_true_positives(x), truth + 0.003 + 0.03 * truth) << epsilon;
        }
    }
}

// Randomised response meets its epsilon with equality: the bound may exceed it in 5 % of games.
TEST(OneRun, CoversForRandomisedResponse) {
    const double epsilon = 1, p = 1 / (1 + std::exp(-epsilon));
    std::mt19937_64 generator(2);
    int too_high = 0, contradicted = 0;
    double sum = 0;
    for (int trial = 0; trial < 400; ++trial) {
        std::binomial_distribution<int64_t> right(300, p);
        const int64_t correct = right(generator);
        const double bound = one_run_epsilon(300, 300, correct, 0);
        sum += bound;
        too_high += bound > epsilon ? 1 : 0;
        contradicted +=
            curve_contradicted(300, 300, correct, TradeOff::of_pair(epsilon, 0), 0.05) ? 1 : 0;
    }
    EXPECT_LT(too_high, 38) << "20 expected, 4 standard deviations above";
    EXPECT_LE(contradicted, too_high) << "theorem 6 is a little weaker here";
    EXPECT_GT(contradicted, 0);
    EXPECT_GT(sum / 400, 0.6 * epsilon) << "and it is not vacuous";
}

TEST(OneRun, StaysBelowTheTruthAndComesNear) {
    for (const double epsilon : {1.0, 3.0, 8.0}) {
        const AuditClaim claim = gaussian_claim(epsilon);
        int contradicted = 0;
        double pair = 0, curve = 0;
        for (uint64_t seed = 0; seed < 20; ++seed) {
            const AuditBound bound =
                audit_one_run(gaussian_game(10000, claim.phase.noise_multiplier, seed), claim);
            contradicted += bound.contradicts ? 1 : 0;
            pair += bound.epsilon / 20;
            curve += bound.curve_epsilon / 20;
        }
        EXPECT_LE(contradicted, 1) << epsilon;
        EXPECT_GT(pair, 0.25 * epsilon);
        EXPECT_GT(curve, 0.4 * epsilon);
        EXPECT_GT(curve, pair);
    }
}

TEST(ManyRuns, StayBelowTheTruthAndComeNearer) {
    for (const double epsilon : {1.0, 8.0}) {
        const AuditClaim claim = gaussian_claim(epsilon);
        int contradicted = 0;
        double curve = 0;
        for (uint64_t seed = 0; seed < 20; ++seed) {
            const AuditBound bound =
                audit_many_runs(gaussian_game(20000, claim.phase.noise_multiplier, seed), claim);
            contradicted += bound.contradicts ? 1 : 0;
            EXPECT_LE(bound.epsilon, epsilon);
            curve += bound.curve_epsilon / 20;
        }
        EXPECT_LE(contradicted, 3) << "5 % each: 4 or more once in 60 times";
        EXPECT_GT(curve, 0.65 * epsilon) << epsilon;
    }
}

TEST(Audit, HalfTheNoiseIsExposed) {
    const AuditClaim claim = gaussian_claim(3);
    const AuditGame game = gaussian_game(5000, 0.5 * claim.phase.noise_multiplier, 4);
    const AuditBound one = audit_one_run(game, claim), many = audit_many_runs(game, claim);
    EXPECT_TRUE(one.contradicts);
    EXPECT_TRUE(many.contradicts);
    EXPECT_GT(one.curve_epsilon, 3);
    EXPECT_LT(one.curve_epsilon, dp::gaussian_epsilon(0.5 * claim.phase.noise_multiplier, kDelta));
}

TEST(Audit, ScoresWithoutInformationBoundNothing) {
    const AuditClaim claim = gaussian_claim(1);
    const AuditBound bound = audit_one_run(gaussian_game(2000, 1e6, 5), claim);
    EXPECT_LT(bound.epsilon, 0.1);
    EXPECT_FALSE(bound.contradicts);
    const AuditBound single = audit_one_run({{0.5}, {1}}, claim);
    EXPECT_EQ(single.epsilon, 0);
}

TEST(Audit, RefusesGamesThatAreNone) {
    const AuditClaim claim = gaussian_claim(1);
    EXPECT_THAT(message_of([&] { audit_one_run({}, claim); }), HasSubstr("one score per canary"));
    EXPECT_THAT(message_of([&] { audit_one_run({{NAN}, {1}}, claim); }), HasSubstr("not a number"));
    EXPECT_THAT(message_of(
                    [&] {
                        audit_many_runs({{1}, {1}}, claim, 1);
                    },
                    ErrorCode::kUsage),
                HasSubstr("confidence must be in (0, 1)"));
    EXPECT_THAT(message_of([] { one_run_p_value(10, 11, 3, 1, 0); }),
                HasSubstr("got 3, 11 and 10"));
}

}  // namespace
}  // namespace ward::attack
