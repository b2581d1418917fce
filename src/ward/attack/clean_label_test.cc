#include "ward/attack/clean_label.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "ward/attack/internal/clean_label_craft.h"
#include "ward/attack/internal/leaf_gradients.h"
#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/data/load.h"
#include "ward/nn/torch.h"
#include "ward/train/recipes.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::error_of;
using ward::testonly::message_of;

data::Dataset digits(const std::string& split) {
    set_progress_mode(ProgressMode::kOff);
    data::LoadRequest request;
    request.data = "digits";
    request.split = split;
    return data::load_dataset(request).dataset;
}

train::TrainOptions quick_training(const data::Dataset& data, double epochs = 6) {
    train::TrainOptions training;
    training.spec = train::spec_for(data, "mlp", train::recipe_named("small-image"));
    training.batch_size = 32;
    training.epochs = epochs;
    training.schedule.learning_rate = 0.1;
    training.optimizer.momentum = 0.9;
    return training;
}

std::vector<int64_t> first_of_class(const data::Dataset& data, int64_t label, size_t count) {
    std::vector<int64_t> rows = rows_of_class(data, label);
    rows.resize(count);
    return rows;
}

// Images with two channels: the second three times as wide as the first.
data::Dataset two_channels() {
    data::Dataset data;
    data.example_shape = {2, 1, 2};
    data.inputs = {0, 1, 0, 3, 1, 0, 3, 0};
    data.labels = {0, 1};
    data.class_names = {"a", "b"};
    return data;
}

TEST(CleanLabelParts, TheBoxIsThatOfEachChannel) {
    const InputBox box = box_of(two_channels());
    EXPECT_TRUE(at::equal(box.width().flatten(), at::tensor({1.0f, 3.0f})));
    data::Dataset table = two_channels();
    table.example_shape = {4};
    EXPECT_EQ(box_of(table).width().item<float>(), 3);
}

TEST(CleanLabelParts, RowsGoOutAndIn) {
    data::Dataset data = two_channels();
    EXPECT_EQ(take_rows(data, {1}).sizes(), (std::vector<int64_t>{1, 2, 1, 2}));
    put_rows(data, {1}, torch::full({1, 2, 1, 2}, 0.5f));
    EXPECT_EQ(data.inputs, (std::vector<float>{0, 1, 0, 3, 0.5, 0.5, 0.5, 0.5}));
    EXPECT_EQ(rows_of_class(data, 1), (std::vector<int64_t>{1}));
}

TEST(CleanLabelParts, TheAngleDoesNotDependOnLengths) {
    const std::vector<at::Tensor> a = {at::tensor({3.0f, 0.0f}), at::tensor({4.0f})};
    const std::vector<at::Tensor> b = {at::tensor({6.0f, 0.0f}), at::tensor({8.0f})};
    const std::vector<at::Tensor> c = {at::tensor({0.0f, 1.0f}), at::tensor({0.0f})};
    EXPECT_NEAR(cosine_distance(a, b).item<double>(), 0, 1e-6);
    EXPECT_NEAR(cosine_distance(a, c).item<double>(), 1, 1e-6);
    EXPECT_NEAR(squared_distance(a, b).item<double>(), 25, 1e-5);
}

// Against the same by autograd of the whole network.
TEST(CleanLabelParts, TheExtractorIsTheNetworkWithoutItsLastLayer) {
    const data::Dataset data = digits("test");
    const nn::Network network(quick_training(data).spec, 3);
    const model::Model model{network.spec(), network.export_weights(), {}};
    const at::Tensor x = take_rows(data, {0, 1, 2});
    const at::Tensor weight = network.parameters()[network.parameters().size() - 2].value;
    const at::Tensor bias = network.parameters().back().value;
    const at::Tensor logits = at::linear(feature_extractor(model).forward(x), weight, bias);
    EXPECT_TRUE(at::allclose(logits, network.forward(x), 1e-4, 1e-5));
    model::Model bare = model;
    bare.spec.layers.erase(bare.spec.layers.begin() + 1, bare.spec.layers.end());
    EXPECT_THAT(message_of([&] { feature_extractor(bare); }, ErrorCode::kUnsupported),
                HasSubstr("ends in a linear layer"));
}

// With features that are the inputs themselves the objective is a parabola in each input, with its
// least value at (w t + beta b) / (w + beta) for the weight w = width^2 / |t - b|^2.
TEST(FeatureCollision, EndsWhereTheParabolaIsLeast) {
    model::ModelSpec spec;
    spec.name = "identity";
    spec.input_shape = {2};
    spec.outputs = 2;
    spec.layers.emplace_back("flatten", model::Flatten{});
    const nn::Network identity(spec, 1);
    const at::Tensor base = at::tensor({0.2f, 0.4f}).unsqueeze(0);
    const at::Tensor target = at::tensor({0.8f, 0.4f}).unsqueeze(0);
    CleanLabelOptions options;
    options.attack = "feature-collision";
    options.similarity = 2;
    const InputBox box{torch::zeros({1}), torch::ones({1})};
    const Crafted crafted = collide_features(identity, base, target, box, options);
    const double weight = 1 / 0.36, wanted = (weight * 0.8 + 2 * 0.2) / (weight + 2);
    EXPECT_NEAR(crafted.x[0][0].item<double>(), wanted, 1e-3);
    EXPECT_NEAR(crafted.x[0][1].item<double>(), 0.4, 1e-4);
    EXPECT_NEAR(crafted.loss, std::pow((0.8 - wanted) / 0.6, 2), 1e-3);
    const InputBox narrow{torch::zeros({1}), torch::full({1}, 0.3f)};
    EXPECT_LE(collide_features(identity, base, target, narrow, options).x.max().item<double>(),
              0.3 + 1e-6);
}

TEST(GradientMatching, LowersTheAngleInsideTheBall) {
    const data::Dataset data = digits("train");
    MatchingProblem problem;
    problem.bases = take_rows(data, first_of_class(data, 3, 10));
    problem.labels = torch::full({10}, 3, at::kLong);
    problem.wanted_x = take_rows(data, first_of_class(data, 8, 1));
    problem.wanted_labels = torch::full({1}, 3, at::kLong);
    problem.box = box_of(data);
    CleanLabelOptions options;
    options.epsilon = 0.2;
    options.restarts = 1;
    const auto loss_after = [&](int64_t steps) {
        std::vector<nn::Network> surrogates;
        surrogates.emplace_back(quick_training(data).spec, 3);
        options.steps = steps;
        const Crafted crafted = match_gradients(problem, std::move(surrogates), options);
        const at::Tensor moved = (crafted.x - problem.bases).abs() / problem.box.width();
        EXPECT_LE(moved.max().item<double>(), 0.2 + 1e-5);
        EXPECT_GE((crafted.x - problem.box.lower).min().item<double>(), -1e-6);
        EXPECT_GE((problem.box.upper - crafted.x).min().item<double>(), -1e-6);
        return crafted.loss;
    };
    EXPECT_LT(loss_after(60), 0.8 * loss_after(1));
}

// The surrogate is asked for once per round, with the poisons as they are then.
TEST(GradientMatching, SleeperTrainsItsSurrogateOnTheWay) {
    const data::Dataset data = digits("train");
    MatchingProblem problem;
    problem.bases = take_rows(data, first_of_class(data, 3, 4));
    problem.labels = torch::full({4}, 3, at::kLong);
    problem.wanted_x = take_rows(data, first_of_class(data, 8, 3));
    problem.wanted_labels = torch::full({3}, 3, at::kLong);
    problem.box = box_of(data);
    int trainings = 0;
    problem.train = [&](const at::Tensor& poisons, uint64_t seed) {
        ++trainings;
        EXPECT_FALSE(at::equal(poisons, problem.bases));
        std::vector<nn::Network> surrogates;
        surrogates.emplace_back(quick_training(data).spec, seed);
        return surrogates;
    };
    CleanLabelOptions options;
    options.attack = "sleeper";
    options.steps = 20;
    options.retrainings = 3;
    std::vector<nn::Network> surrogates;
    surrogates.emplace_back(quick_training(data).spec, 3);
    match_gradients(problem, std::move(surrogates), options);
    EXPECT_EQ(trainings, 3);
}

TEST(GradientMatching, SleeperTakesTheRowsOfTheLargestGradients) {
    const data::Dataset data = digits("test");
    const nn::Network network(quick_training(data).spec, 3);
    const std::vector<int64_t> rows = first_of_class(data, 5, 8);
    const std::vector<int64_t> two = largest_gradients(network, data, rows, 2);
    ASSERT_EQ(two.size(), 2u);
    const auto loss_gradient = [&](int64_t row) {
        const Leaves leaves(network);
        double squares = 0;
        for (const at::Tensor& tensor :
             leaf_gradient(network, leaves, take_rows(data, {row}),
                           one_hot_rows(at::tensor({int64_t{5}}), 10), false))
            squares += tensor.square().sum().item<double>();
        return squares;
    };
    const double least = std::min(loss_gradient(two[0]), loss_gradient(two[1]));
    for (const int64_t row : rows)
        EXPECT_TRUE(row == two[0] || row == two[1] || loss_gradient(row) <= least) << row;
    EXPECT_EQ(largest_gradients(network, data, rows, 100), rows);
}

TEST(CleanLabel, CollidingFeaturesTurnATestExample) {
    const data::Dataset data = digits("train"), test = digits("test");
    CleanLabelOptions options;
    options.attack = "feature-collision";
    options.target_class = 3;
    options.source_class = 8;
    options.rate = 0.05;
    options.similarity = 0.01;
    options.watermark = 0.3;
    options.steps = 300;
    train::TrainOptions training = quick_training(data, 15);
    training.schedule.learning_rate = 0.02;
    const CleanLabelResult result = run_clean_label(data, test, training, options, 1, 2);
    ASSERT_EQ(result.trials.size(), 1u);
    const CleanLabelTrial& trial = result.trials[0];
    EXPECT_EQ(test.labels[trial.target], 8);
    EXPECT_EQ(trial.success_without_poison, 0) << "chosen among those that are right";
    EXPECT_EQ(trial.successes, (std::vector<double>{1, 1}));
    EXPECT_LT(trial.loss, 0.1);
    EXPECT_GT(result.poisoned_accuracy, result.clean_accuracy - 0.05);
    EXPECT_TRUE(result.succeeded);
    EXPECT_EQ(result.changed, 36) << "5 % of the half that the victim trains on";
}

TEST(CleanLabel, SleeperHidesATrigger) {
    const data::Dataset data = digits("train"), test = digits("test");
    CleanLabelOptions options;
    options.attack = "sleeper";
    options.target_class = 3;
    options.source_class = 8;
    options.rate = 0.06;
    options.epsilon = 0.25;
    options.steps = 60;
    options.retrainings = 1;
    const CleanLabelResult result = run_clean_label(data, test, quick_training(data, 8), options);
    EXPECT_EQ(result.trials[0].target, -1);
    EXPECT_LE(result.trials[0].largest_move, 0.25 + 1e-4);
    EXPECT_GT(result.success, result.success_without_poison + 0.3);
    EXPECT_FALSE(result.ruined);
}

// The last of the surrogates is the only one that is trained to the end.
TEST(CleanLabel, SurrogatesCanBeStaggered) {
    const data::Dataset data = digits("train"), test = digits("test");
    const auto loss = [&](int64_t surrogates, bool staggered, bool largest = false) {
        CleanLabelOptions options{.rate = 0.02, .target_class = 3, .source_class = 8};
        options.surrogates = surrogates;
        options.staggered = staggered;
        options.largest_gradients = largest;
        options.steps = 4;
        options.restarts = 1;
        return run_clean_label(data, test, quick_training(data, 3), options).trials[0].loss;
    };
    EXPECT_EQ(loss(1, true), loss(1, false));
    EXPECT_NE(loss(2, true), loss(2, false));
    EXPECT_NE(loss(1, false, true), loss(1, false)) << "other poisons";
}

TEST(CleanLabel, RefusesWhatItCannotDo) {
    const data::Dataset data = digits("train"), test = digits("test");
    const train::TrainOptions training = quick_training(data);
    const auto message = [&](const CleanLabelOptions& options, int64_t trainings = 1) {
        return error_of([&] { run_clean_label(data, test, training, options, 1, trainings); },
                        ErrorCode::kUsage);
    };
    EXPECT_THAT(message({.attack = "badnets"}),
                HasSubstr("known ones: feature-collision, gradient-matching, sleeper"));
    EXPECT_THAT(message({.target_class = 1, .source_class = 1}), HasSubstr("two of the classes"));
    EXPECT_THAT(message({.source_class = 10}), HasSubstr("classes 0 to 9, got source 10"));
    EXPECT_THAT(message({.rate = 0.5}), HasSubstr("between one and all of them"));
    EXPECT_THAT(message({.rate = 1e-6}), HasSubstr("makes 0 poisons"));
    EXPECT_THAT(message({.epsilon = 0}), HasSubstr("epsilon must be in (0, 1]"));
    EXPECT_THAT(message({.watermark = 1}), HasSubstr("watermark in [0, 1)"));
    EXPECT_THAT(message({.attack = "sleeper", .restarts = 2}), HasSubstr("one start"));
    EXPECT_THAT(message({}, 0), HasSubstr("trainings >= 1"));
    data::Dataset bare = data;
    bare.labels.clear();
    EXPECT_THAT(message_of([&] { run_clean_label(bare, test, training, {}); }),
                HasSubstr("labelled examples"));
}

}  // namespace
}  // namespace ward::attack
