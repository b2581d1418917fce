#include "ward/attack/gradient_inversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
