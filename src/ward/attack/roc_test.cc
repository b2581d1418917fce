#include "ward/attack/roc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "ward/attack/interval.h"
#include "ward/core/testing/errors.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

TEST(Interval, BinomialTailIsTheSumOfItsMasses) {
    for (const int64_t n : {1, 7, 200, 20000}) {
        for (const double p : {1e-4, 0.03, 0.5, 0.97}) {
            double tail = 0;
            for (int64_t k = n; k >= 0; --k) {
                tail += std::exp(log_binomial_mass(n, k, p));
                if (k % (n / 7 + 1) == 0) {
                    EXPECT_NEAR(binomial_tail(n, k, p), tail, 2e-10) << n;
                }
            }
        }
    }
    EXPECT_EQ(binomial_tail(5, 6, 0.5), 0);
    EXPECT_EQ(binomial_tail(5, 0, 0.5), 1);
}

// Clopper and Pearson's limits have closed forms at the ends; 5 of 10 is in every table.
TEST(Interval, ClopperPearsonLimitsAreTheTabulatedOnes) {
    const Interval none = clopper_pearson(0, 10);
    EXPECT_EQ(none.low, 0);
    EXPECT_NEAR(none.high, 1 - std::pow(0.025, 0.1), 1e-12);
    const Interval all = clopper_pearson(10, 10);
    EXPECT_NEAR(all.low, std::pow(0.025, 0.1), 1e-12);
    EXPECT_EQ(all.high, 1);
    const Interval half = clopper_pearson(5, 10);
    EXPECT_NEAR(half.low, 0.1870860, 1e-6);
    EXPECT_NEAR(half.high, 0.8129140, 1e-6);
    EXPECT_EQ(clopper_pearson(0, 0).high, 1);
    EXPECT_THAT(message_of([] { clopper_pearson(3, 2); }), HasSubstr("got 3 of 2"));
}

TEST(Interval, NormalQuantileInvertsTheDistribution) {
    EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
    EXPECT_NEAR(normal_quantile(1e-9), -5.997807015007687, 1e-9);
    EXPECT_EQ(normal_quantile(1), INFINITY);
    EXPECT_NEAR(normal_cdf(-8), 6.220960574271785e-16, 1e-27);
}

TEST(Roc, SmallCaseByHand) {
    // Descending: member, other, {member, other}, member, other.
    const std::vector<double> scores = {9, 8, 5, 5, 3, 1};
    const std::vector<uint8_t> member = {1, 0, 1, 0, 1, 0};
    const Roc roc = roc_of(scores, member, {.false_positive_rates = {0.3, 0.34, 0.7}});
    ASSERT_EQ(roc.points.size(), 6u);
    EXPECT_DOUBLE_EQ(roc.points[1].true_positive_rate, 1.0 / 3);
    EXPECT_DOUBLE_EQ(roc.points[3].false_positive_rate, 2.0 / 3);
    EXPECT_DOUBLE_EQ(roc.auc, (3 + 1.5 + 1) / 9);
    EXPECT_DOUBLE_EQ(roc.best_accuracy, 0.5 * (1 + 1.0 / 3));
    EXPECT_DOUBLE_EQ(roc.at[0].true_positive_rate, 1.0 / 3);
    EXPECT_FALSE(roc.at[0].resolved) << "3 others cannot show a rate of 0.3";
    EXPECT_DOUBLE_EQ(roc.at[1].false_positive_rate, 1.0 / 3);
    EXPECT_TRUE(roc.at[1].resolved);
    EXPECT_DOUBLE_EQ(roc.at[2].true_positive_rate, 1.0);
    EXPECT_DOUBLE_EQ(roc.at[2].threshold, 3);
}

TEST(Roc, EqualScoresAreNoEvidence) {
    const std::vector<double> scores(100, 0.5);
    std::vector<uint8_t> member(100, 0);
    for (int i = 0; i < 50; ++i) member[i] = 1;
    const Roc roc = roc_of(scores, member);
    EXPECT_DOUBLE_EQ(roc.auc, 0.5);
    EXPECT_DOUBLE_EQ(roc.best_accuracy, 0.5);
    EXPECT_EQ(roc.at[1].true_positive_rate, 0);
    EXPECT_EQ(roc.at[1].threshold, INFINITY);
}

// Two normal laws at distance 1: the area is Phi(1 / sqrt 2). Of 40 samples the 95 % intervals miss
// it 2 times on average; 8 or more would happen once in 3000 times.
TEST(Roc, BootstrapCoversTheTrueArea) {
    const double truth = normal_cdf(M_SQRT1_2);
    std::mt19937_64 generator(3);
    std::normal_distribution<double> normal;
    int missed = 0;
    for (int sample = 0; sample < 40; ++sample) {
        std::vector<double> scores;
        std::vector<uint8_t> member;
        for (int i = 0; i < 600; ++i) {
            member.push_back(i % 2);
            scores.push_back(normal(generator) + i % 2);
        }
        const Roc roc = roc_of(scores, member, {.resamples = 200});
        EXPECT_LT(roc.auc_interval.low, roc.auc);
        EXPECT_GT(roc.auc_interval.high, roc.auc);
        EXPECT_LE(roc.at[1].exact.low, roc.at[1].true_positive_rate);
        EXPECT_GE(roc.at[1].bootstrap.high, roc.at[1].true_positive_rate);
        missed += truth < roc.auc_interval.low || truth > roc.auc_interval.high ? 1 : 0;
    }
    EXPECT_LT(missed, 8);
}

// The true rate at the true threshold, normal laws at distance 1, 200 of each. The interval is for
// 95 % and conservative; of 100 samples 12 misses or more would happen once in 300 times at 5 %.
TEST(Roc, TheIntervalAtARateCoversTheThresholdToo) {
    const double truth = 1 - normal_cdf(normal_quantile(0.95) - 1);
    std::mt19937_64 generator(5);
    std::normal_distribution<double> normal;
    int missed = 0, missed_by_fixed = 0;
    for (int sample = 0; sample < 100; ++sample) {
        std::vector<double> scores;
        std::vector<uint8_t> member;
        for (int i = 0; i < 400; ++i) {
            member.push_back(i % 2);
            scores.push_back(normal(generator) + i % 2);
        }
        const Roc roc = roc_of(scores, member, {.false_positive_rates = {0.05}, .resamples = 1});
        const RateAt& at = roc.at[0];
        missed += truth < at.at_wanted.low || truth > at.at_wanted.high ? 1 : 0;
        missed_by_fixed += truth < at.exact.low || truth > at.exact.high ? 1 : 0;
        EXPECT_LE(at.at_wanted.low, at.exact.low + 1e-12);
        EXPECT_GE(at.at_wanted.high, at.exact.high - 1e-12);
    }
    EXPECT_LT(missed, 12);
    EXPECT_GT(missed_by_fixed, 12) << "the interval of a fixed threshold is too narrow for this";
}

TEST(Roc, FewExamplesHaveWideIntervals) {
    const std::vector<double> scores = {5, 4, 3, 2, 1, 0};
    const std::vector<uint8_t> member = {1, 1, 1, 0, 0, 0};
    const Roc roc = roc_of(scores, member, {.false_positive_rates = {0.1}});
    EXPECT_EQ(roc.auc, 1);
    EXPECT_LT(roc.auc_interval.low, 0.5) << "3 of each show nothing yet";
    EXPECT_EQ(roc.at[0].at_wanted.low, 0);
    EXPECT_EQ(roc.at[0].at_wanted.high, 1);
    const SureRate sure = sure_rate(roc, roc.at[0], 0.99);
    EXPECT_LT(sure.true_positive_at_least, 0.3);
    EXPECT_GT(sure.false_positive_at_most, 0.7);
}

TEST(Roc, RefusesWhatItCannotMeasure) {
    const std::vector<double> scores = {1, 2};
    EXPECT_THAT(message_of([&] {
                    roc_of(scores, std::vector<uint8_t>{1, 1});
                }),
                HasSubstr("2 members among 2"));
    EXPECT_THAT(message_of([&] { roc_of(scores, std::vector<uint8_t>{1}); }),
                HasSubstr("2 scores for 1"));
    EXPECT_THAT(message_of([&] {
                    roc_of(std::vector<double>{1, NAN}, std::vector<uint8_t>{1, 0});
                }),
                HasSubstr("example 1 is not a number"));
    EXPECT_THAT(message_of(
                    [&] {
                        roc_of(scores, std::vector<uint8_t>{1, 0}, {.false_positive_rates = {0}});
                    },
                    ErrorCode::kUsage),
                HasSubstr("in (0, 1]"));
}

}  // namespace
}  // namespace ward::attack
