#include "ward/attack/gradient_inversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/data/load.h"
#include "ward/model/zoo.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

struct Example {
    at::Tensor x;
    int64_t label;
};

Example digit(int64_t row) {
    set_progress_mode(ProgressMode::kOff);
    data::LoadRequest request;
    request.data = "digits";
    const data::Dataset data = data::load_dataset(request).dataset;
    return {torch::from_blob(const_cast<float*>(data.inputs.data()) + row * 64, {1, 8, 8}).clone(),
            data.labels[row]};
}

nn::Network network_of(const std::string& model) {
    model::ZooOptions zoo;
    zoo.input_shape = {1, 8, 8};
    zoo.outputs = 10;
    zoo.hidden = {32};
    return {model::make_model(model, zoo), 3};
}

TEST(GradientInversion, TheLabelIsInTheSign) {
    const nn::Network network = network_of("mlp");
    for (int64_t row = 0; row < 20; ++row) {
        const Example example = digit(row);
        EXPECT_EQ(label_of_gradient(network, example_gradient(network, example.x, example.label)),
                  example.label);
    }
}

TEST(GradientInversion, ALinearFirstLayerGivesItsInputAway) {
    const nn::Network network = network_of("mlp");
    const Example example = digit(5);
    const LeakedExample leaked = invert_gradient(
        network, example_gradient(network, example.x, example.label), {.attack = "analytic"});
    EXPECT_EQ(leaked.label, example.label);
    EXPECT_GT(psnr(leaked.x, example.x), 80) << "exact but for rounding";
    const nn::Network cnn = network_of("cnn");
    EXPECT_THAT(message_of(
                    [&] {
                        invert_gradient(cnn, example_gradient(cnn, example.x, 1),
                                        {.attack = "analytic"});
                    },
                    ErrorCode::kUnsupported),
                HasSubstr("first layer that is linear"));
}

TEST(GradientInversion, MatchingTheGradientFindsTheImageButNotThroughNoise) {
    const nn::Network network(leakage_lenet({1, 8, 8}, 10), 5);
    const Example example = digit(2);
    const auto gradient = example_gradient(network, example.x, example.label);
    const LeakOptions options{.attack = "idlg", .steps = 60};
    const LeakedExample leaked = invert_gradient(network, gradient, options);
    EXPECT_EQ(leaked.label, example.label);
    EXPECT_GT(psnr(leaked.x, example.x), 18);
    Random random = testonly::seeded_random(8);
    const LeakedExample noisy =
        invert_gradient(network, privatised(gradient, 1, 0.1, random), options);
    EXPECT_LT(psnr(noisy.x, example.x), 10);
    for (const nn::Parameter& parameter : network.parameters())
        EXPECT_FALSE(parameter.value.requires_grad()) << "the network is left as it was";
}

// The label is found along: the distance falls as if it were known.
TEST(GradientInversion, DlgFindsTheLabelAlong) {
    const nn::Network network(leakage_lenet({1, 8, 8}, 10), 5);
    const Example example = digit(2);
    const auto gradient = example_gradient(network, example.x, example.label);
    const LeakedExample leaked = invert_gradient(network, gradient, {.attack = "dlg", .steps = 30});
    EXPECT_EQ(leaked.label, example.label);
    double norm = 0;
    for (const at::Tensor& tensor : gradient) norm += tensor.square().sum().item<double>();
    EXPECT_LT(leaked.distance, 1e-3 * norm);
}

TEST(GradientInversion, LabelsOfABatchThatDifferAreReadOff) {
    const nn::Network network(leakage_lenet({1, 8, 8}, 10), 5);
    std::vector<at::Tensor> inputs;
    std::vector<int64_t> labels;
    for (int64_t row = 0; labels.size() < 5; ++row) {
        const Example example = digit(row);
        if (std::find(labels.begin(), labels.end(), example.label) != labels.end()) continue;
        inputs.push_back(example.x);
        labels.push_back(example.label);
    }
    const auto gradient = batch_gradient(network, at::stack(inputs), labels);
    std::sort(labels.begin(), labels.end());
    EXPECT_EQ(labels_of_gradient(network, gradient, 5), labels);
    EXPECT_THAT(message_of([&] { labels_of_gradient(network, gradient, 11); }, ErrorCode::kUsage),
                HasSubstr("between 1 and 10, got 11"));
    EXPECT_THAT(message_of([&] { batch_gradient(network, at::stack(inputs), {1}); }),
                HasSubstr("one label for each"));
}

TEST(GradientInversion, TheGradientOfABatchIsTheMean) {
    const nn::Network network = network_of("mlp");
    const Example a = digit(1), b = digit(2);
    const auto both = batch_gradient(network, at::stack({a.x, b.x}), {a.label, b.label});
    const auto first = example_gradient(network, a.x, a.label);
    const auto second = example_gradient(network, b.x, b.label);
    for (size_t i = 0; i < both.size(); ++i)
        EXPECT_TRUE(at::allclose(both[i], 0.5 * (first[i] + second[i]), 1e-4, 1e-6)) << i;
}

TEST(GradientInversion, BothExamplesOfABatchComeBack) {
    const nn::Network network(leakage_lenet({1, 8, 8}, 10), 5);
    const Example a = digit(2), b = digit(3);
    ASSERT_NE(a.label, b.label);
    const at::Tensor x = at::stack({a.x, b.x});
    const auto gradient = batch_gradient(network, x, {a.label, b.label});
    const LeakedBatch leaked =
        invert_batch_gradient(network, gradient, 2, {.attack = "idlg", .steps = 150});
    const std::vector<int64_t> assigned = assign_examples(leaked.x, x);
    EXPECT_GT(psnr(leaked.x[assigned[0]], a.x), 15);
    EXPECT_GT(psnr(leaked.x[assigned[1]], b.x), 15);
    EXPECT_EQ(leaked.labels[assigned[0]], a.label);
    EXPECT_EQ(leaked.labels[assigned[1]], b.label);
    EXPECT_THAT(
        message_of([&] { invert_batch_gradient(network, gradient, 2, {.attack = "analytic"}); },
                   ErrorCode::kUnsupported),
        HasSubstr("one example apart"));
    EXPECT_THAT(
        message_of([&] { invert_batch_gradient(network, gradient, 17, {}); }, ErrorCode::kUsage),
        HasSubstr("1 to 16 examples, got 17"));
}

// Giving each original its nearest would take the first of `found` twice.
TEST(GradientInversion, ExamplesAreAssignedAllAtOnce) {
    const at::Tensor originals = at::tensor({0.0f, 1.0f, 5.0f}).view({3, 1});
    const at::Tensor found = at::tensor({0.6f, 5.5f, 2.5f}).view({3, 1});
    EXPECT_EQ(assign_examples(found, originals), (std::vector<int64_t>{0, 2, 1}));
    const at::Tensor shuffled = originals.index_select(0, at::tensor({2, 0, 1}, at::kLong));
    EXPECT_EQ(assign_examples(shuffled, originals), (std::vector<int64_t>{1, 2, 0}));
}

TEST(GradientInversion, SignedStepsLowerTheAngle) {
    const nn::Network network(leakage_lenet({1, 8, 8}, 10), 5);
    const Example example = digit(2);
    const auto gradient = example_gradient(network, example.x, example.label);
    const LeakedExample few = invert_gradient(network, gradient, {.steps = 2});
    const LeakedExample many = invert_gradient(network, gradient, {.steps = 100});
    EXPECT_LT(many.distance, 0.5 * few.distance);
    EXPECT_GE(many.x.min().item<double>(), 0) << "inside the box";
}

TEST(GradientInversion, ClipsAndAddsTheNoiseItSays) {
    Random random = testonly::seeded_random(8);
    const std::vector<at::Tensor> gradient = {torch::full({10000}, 1.0f), at::Tensor()};
    const auto clipped = privatised(gradient, 2, 0, random);
    EXPECT_NEAR(clipped[0].norm().item<double>(), 2, 1e-4);
    EXPECT_FALSE(clipped[1].defined());
    const auto noisy = privatised(gradient, 2, 3, random);
    EXPECT_NEAR((noisy[0] - clipped[0]).std().item<double>(), 6, 0.2);
    EXPECT_NEAR(psnr(torch::zeros({4}), torch::full({4}, 0.1f)), 20, 1e-5);
}

TEST(GradientInversion, RefusesWhatDoesNotFit) {
    const nn::Network network = network_of("mlp");
    const Example example = digit(1);
    auto gradient = example_gradient(network, example.x, 1);
    EXPECT_THAT(message_of([&] { invert_gradient(network, gradient, {.attack = "magic"}); },
                           ErrorCode::kUsage),
                HasSubstr("no gradient inversion magic"));
    EXPECT_THAT(message_of([&] { example_gradient(network, example.x, 10); }),
                HasSubstr("none of the 10 classes"));
    gradient[0] = gradient[0] * NAN;
    EXPECT_THAT(message_of([&] { invert_gradient(network, gradient, {}); }),
                HasSubstr("not one of this network"));
}

}  // namespace
}  // namespace ward::attack
