#include "ward/attack/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "ward/attack/roc.h"
#include "ward/core/testing/errors.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::error_of;
using ward::testonly::message_of;

double log_p_of(double odds) {
    return odds > 0 ? -std::log1p(std::exp(-odds)) : odds - std::log1p(std::exp(odds));
}

// A world as LiRA assumes it: the log odds of an example are normal around its own difficulty, and
// higher by `gap` where the model was trained on it.
struct World {
    World(int64_t examples, int64_t references, double gap, double deviation, uint64_t seed = 5)
        : generator(seed) {
        std::vector<double> difficulty;
        for (int64_t i = 0; i < examples; ++i) difficulty.push_back(2 * normal(generator));
        const auto observe = [&](const std::vector<uint8_t>& held) {
            Confidence confidence;
            for (int64_t i = 0; i < examples; ++i) {
                const double odds =
                    difficulty[i] + (held[i] ? gap : 0) + deviation * normal(generator);
                confidence.log_odds.push_back(odds);
                confidence.log_p.push_back(log_p_of(odds));
            }
            return confidence;
        };
        for (int64_t i = 0; i < examples; ++i) member.push_back(generator() % 2);
        signals.target = observe(member);
        const int64_t others = 400;
        std::vector<double> population;
        for (int64_t z = 0; z < others; ++z) population.push_back(2 * normal(generator));
        const auto see_population = [&] {
            std::vector<double> log_p;
            for (const double d : population)
                log_p.push_back(log_p_of(d + deviation * normal(generator)));
            return log_p;
        };
        signals.target_population = see_population();
        // Features that tell how hard an example is, and labels kept the longer the surer they are.
        const auto tell = [&](const std::vector<double>& of) {
            at::Tensor features = torch::empty({std::ssize(of), 1});
            for (size_t i = 0; i < of.size(); ++i)
                features.data_ptr<float>()[i] = static_cast<float>(of[i]);
            return features;
        };
        signals.features = tell(difficulty);
        signals.population_features = tell(population);
        signals.label_gap = signals.label_noise = signals.label_augment = signals.label_boundary =
            signals.target.log_odds;
        for (int64_t r = 0; r < references; ++r) {
            std::vector<uint8_t> held;
            for (int64_t i = 0; i < examples; ++i)
                held.push_back(static_cast<uint8_t>((i / (r / 2 + 1) + r) % 2));
            signals.references.push_back(observe(held));
            signals.reference_population.push_back(see_population());
            signals.held.push_back(std::move(held));
        }
    }

    double auc(const std::string& attack) const {
        return roc_of(membership_scores(attack, signals), member, {.resamples = 1}).auc;
    }

    std::mt19937_64 generator;
    std::normal_distribution<double> normal;
    MembershipSignals signals;
    std::vector<uint8_t> member;
};

TEST(Confidence, IsExactWhereSoftmaxSaturates) {
    const at::Tensor logits = torch::tensor({{60.f, 0.f, 0.f}, {0.f, 60.f, 0.f}, {1.f, 2.f, 3.f}});
    const std::vector<int64_t> labels = {0, 0, 2};
    const Confidence confidence = confidence_of(logits, labels);
    EXPECT_NEAR(confidence.log_odds[0], 60 - std::log(2), 1e-12);
    EXPECT_NEAR(confidence.log_p[0] / (-2 * std::exp(-60)), 1, 1e-9) << "not rounded to zero";
    EXPECT_NEAR(confidence.log_odds[1], -60, 1e-12);
    const double p = std::exp(3) / (std::exp(1) + std::exp(2) + std::exp(3));
    EXPECT_NEAR(confidence.log_p[2], std::log(p), 1e-12);
    EXPECT_NEAR(confidence.log_odds[2], std::log(p / (1 - p)), 1e-12);
}

TEST(Confidence, RefusesLabelsAndScoresThatCannotBe) {
    const at::Tensor logits = torch::zeros({2, 3});
    EXPECT_THAT(message_of([&] {
                    confidence_of(logits, std::vector<int64_t>{0, 3});
                }),
                HasSubstr("label 3 of example 1 is none of the 3 classes"));
    at::Tensor bad = logits.clone();
    bad[1][0] = NAN;
    EXPECT_THAT(message_of([&] {
                    confidence_of(bad, std::vector<int64_t>{0, 1});
                }),
                HasSubstr("example 1 are not finite"));
}

// The gap over the deviation is 1.5, so the best possible area is Phi(1.5 / sqrt 2) = 0.856.
TEST(Membership, ReferencesTakeTheDifficultyOut) {
    const World world(4000, 32, 0.9, 0.6);
    const double loss = world.auc("loss"), p = world.auc("attack-p");
    EXPECT_NEAR(loss, p, 0.01) << "a rank keeps the order, but for ties";
    EXPECT_LT(loss, 0.65);
    const double best = normal_cdf(1.5 * M_SQRT1_2);
    EXPECT_NEAR(world.auc("lira-online-fixed"), best, 0.015);
    EXPECT_NEAR(world.auc("lira-offline-fixed"), best, 0.015);
    EXPECT_GT(world.auc("lira-online"), best - 0.05);
    EXPECT_GT(world.auc("rmia-online"), 0.8);
    EXPECT_GT(world.auc("rmia-offline"), loss + 0.04) << "a = 0.3 is for models that know less";
    EXPECT_GT(world.auc("attack-r"), 0.8);
    EXPECT_GT(world.auc("quantile"), best - 0.02) << "the features tell all";
    EXPECT_EQ(world.auc("label-noise"), loss) << "passed on as it is";
    EXPECT_LE(world.auc("lira-online"), world.auc("lira-online-fixed"))
        << "variances of 16 values each are worse than one of all";
}

TEST(Membership, NoGapNoAttack) {
    const World world(4000, 16, 0, 0.6, 6);
    for (const std::string& attack : membership_attack_names())
        EXPECT_NEAR(world.auc(attack), 0.5, 0.035) << attack;  // 4 standard errors
}

// The definition, written down without sorting: the share of z with
// (p(x|t) / p(x)) / (p(z|t) / p(z)) >= gamma.
TEST(Membership, RmiaIsItsDefinition) {
    const World world(60, 4, 1, 0.5, 7);
    const MembershipSignals& s = world.signals;
    const MembershipOptions options{.gamma = 1.3, .offline_a = 0.2};
    for (const bool online : {true, false}) {
        const auto scores = membership_scores(online ? "rmia-online" : "rmia-offline", s, options);
        for (size_t i = 0; i < scores.size(); ++i) {
            double in = 0, out = 0;
            for (size_t r = 0; r < 4; ++r)
                (s.held[r][i] ? in : out) += std::exp(s.references[r].log_p[i]) / 2;
            const auto line = [](double p) { return 0.5 * (1.2 * p + 0.8); };
            const double px = online ? 0.5 * (in + out) : line(out);
            const double ratio_x = std::exp(s.target.log_p[i]) / px;
            int64_t count = 0;
            for (size_t z = 0; z < s.target_population.size(); ++z) {
                double pz = 0;
                for (size_t r = 0; r < 4; ++r) pz += std::exp(s.reference_population[r][z]) / 4;
                const double ratio_z = std::exp(s.target_population[z]) / (online ? pz : line(pz));
                count += ratio_x / ratio_z >= 1.3 ? 1 : 0;
            }
            EXPECT_NEAR(scores[i], static_cast<double>(count) / 400, 1.01 / 400) << i;
        }
    }
}

TEST(Membership, OneReferenceIsEnoughForSome) {
    const World world(500, 2, 1, 0.5, 8);
    EXPECT_GT(world.auc("lira-offline-fixed"), 0.7);
    EXPECT_GT(world.auc("rmia-offline"), 0.7);
    EXPECT_GT(world.auc("attack-r"), 0.7);
    EXPECT_THAT(error_of([&] { world.auc("lira-online"); }),
                HasSubstr("lira-online needs at least 2 reference models with each example, got 1 "
                          "for example 0 | train more references"));
    EXPECT_THAT(message_of([&] { world.auc("lira-offline"); }), HasSubstr("without each example"));
}

TEST(Membership, RefusesSignalsThatDoNotFit) {
    World world(20, 2, 1, 0.5);
    EXPECT_THAT(message_of([&] { world.auc("guess"); }, ErrorCode::kUsage),
                HasSubstr("no membership attack guess"));
    EXPECT_THAT(
        message_of([&] { membership_scores("rmia-offline", world.signals, {.gamma = 0.5}); },
                   ErrorCode::kUsage),
        HasSubstr("gamma must be >= 1"));
    world.signals.held[1].pop_back();
    EXPECT_THAT(message_of([&] { world.auc("attack-r"); }),
                HasSubstr("reference 1 is about other examples"));
    world.signals.references.clear();
    EXPECT_THAT(message_of([&] { world.auc("lira-offline"); }),
                HasSubstr("there are no reference models"));
    world.signals.label_noise.pop_back();
    EXPECT_THAT(message_of([&] { world.auc("label-noise"); }), HasSubstr("was not asked for"));
    world.signals.features = world.signals.features.narrow(0, 0, 3);
    EXPECT_THAT(message_of([&] { world.auc("quantile"); }), HasSubstr("features of each example"));
    world.signals.target_population.clear();
    EXPECT_THAT(message_of([&] { world.auc("attack-p"); }), HasSubstr("no population"));
    EXPECT_GT(world.auc("loss"), 0) << "needs none of these";
}

}  // namespace
}  // namespace ward::attack
