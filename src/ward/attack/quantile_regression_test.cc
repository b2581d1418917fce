#include "ward/attack/quantile_regression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "ward/attack/roc.h"
#include "ward/core/testing/errors.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

// Odds whose mean and deviation follow from the first two of eight features, and members `gap`
// deviations above.
struct World {
    explicit World(int64_t n, bool tells, uint64_t seed) : generator(seed) {
        features = torch::empty({n, 8});
        for (int64_t i = 0; i < n; ++i) {
            float* x = features.data_ptr<float>() + 8 * i;
            for (int64_t j = 0; j < 8; ++j) x[j] = static_cast<float>(normal(generator));
            mean.push_back(tells ? 3 * x[0] : 3 * normal(generator));
            deviation.push_back(tells && x[1] > 0 ? 1.5 : 0.3);
        }
    }
    std::vector<double> odds(const std::vector<uint8_t>& member, double gap) {
        std::vector<double> result;
        for (size_t i = 0; i < mean.size(); ++i)
            result.push_back(mean[i] + deviation[i] * (normal(generator) + gap * member[i]));
        return result;
    }

    std::mt19937_64 generator;
    std::normal_distribution<double> normal;
    at::Tensor features;
    std::vector<double> mean, deviation;
};

double auc(const std::vector<double>& scores, const std::vector<uint8_t>& member) {
    return roc_of(scores, member, {.resamples = 1}).auc;
}

std::vector<uint8_t> coins(int64_t n) {
    std::mt19937_64 generator(3);
    std::vector<uint8_t> member(n);
    for (uint8_t& bit : member) bit = generator() % 2;
    return member;
}

// The best possible area for a gap of 1.5 deviations is Phi(1.5 / sqrt 2) = 0.856.
TEST(QuantileRegression, TakesTheDifficultyOutWithoutReferences) {
    World asked(1000, true, 1), population(500, true, 2);
    const std::vector<uint8_t> member = coins(1000), nobody(500, 0);
    const auto odds = asked.odds(member, 1.5), others = population.odds(nobody, 0);
    const auto scores = quantile_scores({asked.features, odds}, {population.features, others}, 5);
    EXPECT_LT(auc(odds, member), 0.65);
    EXPECT_GT(auc(scores, member), 0.80);
    EXPECT_EQ(scores, quantile_scores({asked.features, odds}, {population.features, others}, 5));
}

// The scores of those who are no members are standard normal on every side of the features.
TEST(QuantileRegression, KnowsTheDeviationToo) {
    World asked(2000, true, 4), population(1000, true, 5);
    const std::vector<uint8_t> nobody(2000, 0), none(1000, 0);
    const auto odds = asked.odds(nobody, 0), others = population.odds(none, 0);
    const auto scores = quantile_scores({asked.features, odds}, {population.features, others}, 5);
    for (const double wide : {0.3, 1.5}) {
        double squares = 0, count = 0;
        for (size_t i = 0; i < scores.size(); ++i) {
            if (asked.deviation[i] != wide) continue;
            squares += scores[i] * scores[i];
            ++count;
        }
        EXPECT_GT(squares / count, 0.5) << wide << ", a constant deviation gives 0.08";
        EXPECT_LT(squares / count, 1.8) << wide;
    }
}

TEST(QuantileRegression, IsTheLossWhereFeaturesTellNothing) {
    World asked(1000, false, 6), population(500, false, 7);
    const std::vector<uint8_t> member = coins(1000), nobody(500, 0);
    const auto odds = asked.odds(member, 10), others = population.odds(nobody, 0);
    const auto scores = quantile_scores({asked.features, odds}, {population.features, others}, 5);
    EXPECT_GT(auc(odds, member), 0.7);
    EXPECT_GT(auc(scores, member), auc(odds, member) - 0.03);
}

TEST(QuantileRegression, RefusesWhatDoesNotFit) {
    World asked(20, true, 1), population(9, true, 2);
    const std::vector<double> odds(20, 0), few(9, 0);
    EXPECT_THAT(message_of([&] {
                    quantile_scores({asked.features, odds}, {population.features, few}, 1);
                }),
                HasSubstr("population of at least 10 examples, got 9"));
    EXPECT_THAT(message_of([&] {
                    quantile_scores({asked.features, few}, {asked.features, odds}, 1);
                }),
                HasSubstr("features of each example"));
}

}  // namespace
}  // namespace ward::attack
