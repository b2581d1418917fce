#include "ward/attack/membership_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numeric>
#include <random>

#include "ward/attack/extraction.h"
#include "ward/attack/membership_run.h"
#include "ward/attack/testing/linear_target.h"
#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/model/zoo.h"
#include "ward/nn/network.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using testonly::LinearModel;
using testonly::middle_points;
using ward::testonly::error_of;
using ward::testonly::message_of;

constexpr int64_t kFeatures = 8, kClasses = 3;

// Rows around zero with labels by lot: nothing to learn but by heart.
data::Dataset coin_labels(int64_t rows, uint64_t seed) {
    data::Dataset data;
    data.name = "coins";
    data.example_shape = {kFeatures};
    data.class_names = {"a", "b", "c"};
    const at::Tensor x = (12 * (middle_points(rows, kFeatures, seed) - 0.5)).contiguous();
    data.inputs.assign(x.data_ptr<float>(), x.data_ptr<float>() + x.numel());
    std::mt19937_64 generator(seed);
    for (int64_t i = 0; i < rows; ++i)
        data.labels.push_back(static_cast<int64_t>(generator() % kClasses));
    return data;
}

class AskTarget : public ::testing::Test {
  protected:
    AskTarget() { set_progress_mode(ProgressMode::kOff); }

    // A target that dies after so many examples.
    Target mortal(Access access, int64_t lifetime) const {
        auto left = std::make_shared<int64_t>(lifetime);
        return Target(
            [this, left](const at::Tensor& x) {
                *left -= x.size(0);
                if (*left < 0) throw Error(ErrorCode::kIo, "the service is gone");
                return model_.logits(x);
            },
            access);
    }

    const LinearModel model_ = LinearModel::make(kClasses, kFeatures, 1);
    const data::Dataset examples_ = coin_labels(50, 2), population_ = coin_labels(20, 3);
    const LabelQuestions all_ = {.gap = true, .noise = true, .boundary = true};
    const LabelOnlyOptions options_ = {.draws = 2, .steps = 1};
};

TEST_F(AskTarget, LogitsOfExamplesAndPopulation) {
    Target target = model_.target(Access::kScores);
    const MembershipAnswers answers = ask({.target = target}, examples_, 30, population_, {}, {});
    EXPECT_EQ(answers.queries, 70) << "each is asked once";
    EXPECT_EQ(answers.label_queries, 0);
    EXPECT_EQ(answers.form.classes, kClasses);
    EXPECT_FALSE(answers.form.probabilities);
    const Confidence expected =
        confidence_of(model_.logits(tensor_of(examples_)), examples_.labels);
    for (size_t i = 0; i < 50; ++i)
        EXPECT_NEAR(answers.signals.target.log_odds[i], expected.log_odds[i], 1e-4) << i;
    const auto others = confidence_of(model_.logits(tensor_of(population_)), population_.labels);
    ASSERT_EQ(answers.signals.target_population.size(), 20u);
    EXPECT_NEAR(answers.signals.target_population[7], others.log_p[7], 1e-5);
}

TEST_F(AskTarget, InputsAreThoseThatTheTargetTakes) {
    Target target = model_.target(Access::kScores);
    const auto twice = [](const data::Dataset& data) { return tensor_of(data) * 2; };
    const MembershipAnswers answers =
        ask({.target = target, .inputs = twice}, examples_, 30, population_, {}, {});
    const Confidence expected =
        confidence_of(model_.logits(tensor_of(examples_) * 2), examples_.labels);
    EXPECT_NEAR(answers.signals.target.log_odds[11], expected.log_odds[11], 1e-4);
}

TEST_F(AskTarget, BlocksChangeNothing) {
    Target target = model_.target(Access::kScores);
    LabelQuestions questions = all_;
    questions.boundary = false;
    const auto whole = ask({.target = target}, examples_, 30, population_, questions, options_);
    const auto cut =
        ask({.target = target, .block = 7}, examples_, 30, population_, questions, options_);
    EXPECT_EQ(whole.signals.target.log_odds, cut.signals.target.log_odds);
    EXPECT_EQ(whole.signals.label_noise, cut.signals.label_noise);
    EXPECT_EQ(whole.right, cut.right);
    EXPECT_EQ(whole.queries, cut.queries);
    std::vector<int64_t> rows(50);
    std::iota(rows.begin(), rows.end(), 0);
    EXPECT_THAT(cut.rows, ElementsAreArray(rows));
}

TEST_F(AskTarget, WhatWasAnsweredBeforeATargetDiesIsWhole) {
    Target target = model_.target(Access::kLabels), dying = mortal(Access::kLabels, 2000);
    const auto whole =
        ask({.target = target, .block = 10}, examples_, 30, population_, all_, options_);
    const auto cut =
        ask({.target = dying, .block = 10}, examples_, 30, population_, all_, options_);
    EXPECT_EQ(cut.partial, "the service is gone");
    ASSERT_GE(cut.rows.size(), 10u);
    ASSERT_LT(cut.rows.size(), 50u);
    const auto members =
        std::count_if(cut.rows.begin(), cut.rows.end(), [](int64_t row) { return row < 30; });
    EXPECT_NEAR(double(members) / double(cut.rows.size()), 0.6, 0.1)
        << "members and others by turns";
    for (size_t i = 0; i < cut.rows.size(); ++i) {
        const auto row = static_cast<size_t>(cut.rows[i]);
        EXPECT_EQ(cut.signals.label_noise[i], whole.signals.label_noise[row]) << row;
        EXPECT_EQ(cut.signals.label_boundary[i], whole.signals.label_boundary[row]) << row;
        EXPECT_EQ(cut.signals.label_gap[i], whole.signals.label_gap[row]) << row;
        EXPECT_EQ(cut.right[i], whole.right[row]) << row;
    }
    Target dead = mortal(Access::kScores, 20);
    EXPECT_THAT(
        message_of([&] { ask({.target = dead, .block = 10}, examples_, 30, population_, {}, {}); },
                   ErrorCode::kIo),
        HasSubstr("is gone"))
        << "no block was complete";
}

TEST_F(AskTarget, ProbabilitiesAreAsGoodAsLogits) {
    Target logits = model_.target(Access::kScores);
    Target exact([&](const at::Tensor& x) { return at::softmax(model_.logits(x), 1); });
    const auto a = ask({.target = logits}, examples_, 30, population_, {}, {});
    const auto b = ask({.target = exact}, examples_, 30, population_, {}, {});
    EXPECT_TRUE(b.form.probabilities);
    for (size_t i = 0; i < 50; ++i)
        EXPECT_NEAR(a.signals.target.log_odds[i], b.signals.target.log_odds[i], 1e-4) << i;
}

// Ten classes, none of them sure: rows miss the sum of 1 by several units of the last digit.
TEST_F(AskTarget, RoundedProbabilitiesAreWorthTheirDigits) {
    constexpr int64_t kMany = 10;
    const LinearModel wide = LinearModel::make(kMany, kFeatures, 4);
    const auto shares = [&](const at::Tensor& x) {
        return at::softmax(0.3 * wide.logits(x).to(at::kDouble), 1);
    };
    const at::Tensor exact = shares(tensor_of(examples_));
    const at::Tensor others = shares(tensor_of(population_));
    for (const double step : {0.01, 0.001}) {
        Target coarse([&](const at::Tensor& x) {
            return ((shares(x) / step).round() * step).to(at::kFloat);
        });
        const auto answers = ask({.target = coarse}, examples_, 30, population_, {}, {});
        EXPECT_TRUE(answers.form.probabilities) << step;
        EXPECT_DOUBLE_EQ(answers.form.step, step);
        EXPECT_EQ(answers.form.rows, 70);
        for (int64_t i = 0; i < 50; ++i) {
            const auto row = static_cast<size_t>(i);
            EXPECT_NEAR(std::exp(answers.signals.target.log_p[row]),
                        exact[i][examples_.labels[row]].item<double>(), 0.501 * step)
                << step << " " << i;
        }
        EXPECT_NEAR(std::exp(answers.signals.target_population[7]),
                    others[7][population_.labels[7]].item<double>(), 0.501 * step);
    }
}

TEST_F(AskTarget, TheLargestAreNotAll) {
    Target top(
        [&](const at::Tensor& x) { return top_shares(at::softmax(0.2 * model_.logits(x), 1), 2); });
    const auto answers = ask({.target = top, .largest = [] { return int64_t{2}; }}, examples_, 30,
                             population_, {}, {});
    EXPECT_TRUE(answers.form.probabilities);
    EXPECT_EQ(answers.form.largest, 2);
}

// Nothing fools a target that always says the same: all distances are the one for "not found",
// whichever block they come from.
TEST_F(AskTarget, BlocksShareTheBoxOfTheBoundary) {
    Target constant([](const at::Tensor& x) {
        return torch::tensor({{1.0f, 0.0f, 0.0f}}).expand({x.size(0), 3});
    });
    data::Dataset examples = examples_;
    examples.labels.assign(50, 0);
    const LabelQuestions boundary = {.boundary = true};
    const auto whole = ask({.target = constant}, examples, 30, population_, boundary, options_);
    const auto cut =
        ask({.target = constant, .block = 7}, examples, 30, population_, boundary, options_);
    const Box box = box_of(tensor_of(examples), tensor_of(population_));
    for (size_t i = 0; i < 50; ++i) {
        EXPECT_EQ(cut.signals.label_boundary[i], whole.signals.label_boundary[i]) << i;
        EXPECT_FLOAT_EQ(cut.signals.label_boundary[i],
                        2 * (box.upper - box.lower) * std::sqrt(double(kFeatures)));
    }
}

// However few the others are, the first block has one of them, and its answers make a result.
TEST_F(AskTarget, OneOtherAmongManyMembersComesFirst) {
    Target dying = mortal(Access::kScores, 30);
    const auto members = ask({.target = dying, .block = 10}, examples_, 49, population_, {}, {});
    EXPECT_EQ(members.partial, "the service is gone");
    ASSERT_EQ(members.rows.size(), 10u);
    EXPECT_EQ(members.rows.back(), 49);
    Target again = mortal(Access::kScores, 30);
    const auto others = ask({.target = again, .block = 10}, examples_, 1, population_, {}, {});
    ASSERT_EQ(others.rows.size(), 10u);
    EXPECT_EQ(others.rows.front(), 0);
}

// Members alone are no result; what ended the run is said, not that others are missing.
TEST_F(AskTarget, WithoutAnOtherThereIsNoResult) {
    Target dying = mortal(Access::kScores, 21);
    EXPECT_THAT(
        message_of([&] { ask({.target = dying, .block = 1}, examples_, 49, population_, {}, {}); },
                   ErrorCode::kIo),
        HasSubstr("is gone"));
    Target later = mortal(Access::kScores, 22);
    EXPECT_EQ(ask({.target = later, .block = 1}, examples_, 49, population_, {}, {}).rows.size(),
              2u);
}

TEST_F(AskTarget, LabelsAlone) {
    Target target = model_.target(Access::kLabels);
    const auto answers =
        ask({.target = target}, examples_, 30, population_, {.gap = true}, options_);
    EXPECT_EQ(answers.queries, 50) << "not for the population";
    EXPECT_EQ(answers.label_queries, 50);
    EXPECT_TRUE(answers.signals.target.log_p.empty());
    const at::Tensor right =
        model_.logits(tensor_of(examples_)).argmax(1) == torch::tensor(examples_.labels, at::kLong);
    for (int64_t i = 0; i < 50; ++i) {
        EXPECT_EQ(answers.signals.label_gap[static_cast<size_t>(i)], right[i].item<bool>() ? 1 : 0);
    }
    EXPECT_THAT(
        message_of(
            [&] { ask({.target = target}, examples_, 30, population_, {.augment = true}, {}); },
            ErrorCode::kUnsupported),
        HasSubstr("images"));
}

// A target that knows coins by heart, as a function: no model file, and nothing told about it.
class MembershipOfAFunction : public AskTarget {
  protected:
    MembershipOfAFunction() {
        how_.spec = model::make_model(
            "mlp", {.input_shape = {kFeatures}, .outputs = kClasses, .hidden = {64}});
        how_.optimizer.kind = train::OptimizerKind::kAdam;
        how_.schedule.learning_rate = 0.02;
        how_.batch_size = 20;
        how_.epochs = 120;
        victim_ = train::train(members_, how_).model;
        network_ = std::make_unique<nn::Network>(victim_);
    }

    Target target(Access access) const {
        return Target([this](const at::Tensor& x) { return network_->forward(x); }, access);
    }

    static double auc(const MembershipResult& result, const std::string& attack) {
        for (const AttackedMembership& one : result.attacks)
            if (one.attack == attack) return one.roc.auc;
        ADD_FAILURE() << "no " << attack;
        return 0;
    }

    const data::Dataset members_ = coin_labels(60, 21), others_ = coin_labels(80, 22);
    train::TrainOptions how_;
    model::Model victim_;
    std::unique_ptr<nn::Network> network_;
};

TEST_F(MembershipOfAFunction, IsThatOfTheModelBehindIt) {
    MembershipRunOptions options;
    options.shadows.train = how_;
    options.shadows.train.epochs = 30;
    options.shadows.models = 2;
    const MembershipResult known = run_membership(victim_, members_, others_, options);
    Target target = this->target(Access::kScores);
    const MembershipResult unknown = run_membership({.target = target}, members_, others_, options);
    ASSERT_EQ(known.attacks.size(), unknown.attacks.size());
    for (size_t i = 0; i < known.attacks.size(); ++i)
        EXPECT_EQ(known.attacks[i].roc.auc, unknown.attacks[i].roc.auc) << known.attacks[i].attack;
    EXPECT_GT(auc(unknown, "loss"), 0.7);
    EXPECT_EQ(unknown.queries, 140) << "members, others and population";
    EXPECT_GT(unknown.member_accuracy, unknown.other_accuracy + 0.3);
}

// Rounding costs what its digits cost, and is told of.
TEST_F(MembershipOfAFunction, RoundsAsTheServiceDoes) {
    MembershipRunOptions options;
    options.shadows.train = how_;
    options.shadows.train.epochs = 30;
    options.shadows.models = 4;
    options.shadows.cache = ::testing::TempDir() + "ward_membership_rounds";
    std::filesystem::remove_all(options.shadows.cache);
    options.attacks = {"attack-r", "lira-offline-fixed", "rmia-offline"};
    const auto run = [&](double step) {
        Target target([&, step](const at::Tensor& x) {
            const at::Tensor shares = at::softmax(network_->forward(x).to(at::kDouble), 1);
            return (step > 0 ? (shares / step).round() * step : shares).to(at::kFloat);
        });
        return run_membership({.target = target}, members_, others_, options);
    };
    const MembershipResult exact = run(0), coarse = run(0.01);
    std::filesystem::remove_all(options.shadows.cache);
    EXPECT_EQ(exact.answer.step, 0);
    EXPECT_TRUE(coarse.answer.probabilities);
    EXPECT_DOUBLE_EQ(coarse.answer.step, 0.01);
    EXPECT_THAT(coarse.flags, ::testing::Contains(HasSubstr("rounds its probabilities")));
    for (const std::string& attack : options.attacks)
        EXPECT_NEAR(auc(coarse, attack), auc(exact, attack), 0.05) << attack;
}

TEST_F(MembershipOfAFunction, ByLabelsAlone) {
    Target target = this->target(Access::kLabels);
    MembershipRunOptions options;
    options.shadows.models = 0;
    options.labels.draws = 2;
    const MembershipResult result = run_membership({.target = target}, members_, others_, options);
    EXPECT_TRUE(result.labels_only);
    ASSERT_EQ(result.attacks.size(), 2u) << "no images: no shifts";
    EXPECT_NEAR(auc(result, "label-gap"),
                0.5 + (result.member_accuracy - result.other_accuracy) / 2, 1e-9);
    EXPECT_GT(auc(result, "label-noise"), 0.65);
    EXPECT_THAT(result.flags, ::testing::Contains(HasSubstr("labels only")));
    options.attacks = {"loss"};
    EXPECT_THAT(
        error_of([&] { run_membership({.target = target}, members_, others_, options); },
                 ErrorCode::kRefused),
        HasSubstr("loss needs scores, and the target gives labels only | choose label-gap"));
    options.attacks = {};
    options.shadows.models = 2;
    EXPECT_THAT(message_of([&] { run_membership({.target = target}, members_, others_, options); },
                           ErrorCode::kUsage),
                HasSubstr("references are compared by scores"));
}

TEST_F(MembershipOfAFunction, PartOfAnAnswerIsPartOfAResult) {
    auto left = std::make_shared<int64_t>(80);
    Target dying([&, left](const at::Tensor& x) {
        *left -= x.size(0);
        if (*left < 0) throw Error(ErrorCode::kIo, "gone");
        return network_->forward(x);
    });
    MembershipRunOptions options;
    options.shadows.train = how_;
    options.shadows.train.epochs = 5;
    options.shadows.models = 2;
    const MembershipResult result =
        run_membership({.target = dying, .block = 10}, members_, others_, options);
    EXPECT_EQ(result.partial, "gone");
    EXPECT_EQ(result.members + result.others, 60) << "20 of the 80 went to the population";
    EXPECT_EQ(result.members, 30);
    EXPECT_GT(auc(result, "loss"), 0.65) << "members are still told from others";
    EXPECT_EQ(result.attacks.size(), 8u) << "and references know the same examples";
}

}  // namespace
}  // namespace ward::attack
