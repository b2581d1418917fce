// Book-keeping against one example at a time under plain autograd, for every layer type and shape
// family.
#include "ward/nn/private_gradients.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ward/model/spec.h"
#include "ward/model/zoo.h"
#include "ward/nn/network.h"
#include "ward/nn/tape.h"
#include "ward/nn/threads.h"
#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

using namespace ward::model;

constexpr int64_t kBatch = 5;
constexpr double kTolerance = 1e-6;

struct Case {
    std::string name;
    ModelSpec spec;
};

ModelSpec spec_of(Shape input, std::vector<LayerSpec> layers, int64_t outputs,
                  bool tokens = false) {
    ModelSpec spec;
    spec.name = "test";
    spec.input_shape = std::move(input);
    spec.token_input = tokens;
    spec.outputs = outputs;
    spec.layers = std::move(layers);
    return spec;
}

LayerKind act(Activation::Function function) { return Activation{function}; }

std::vector<Case> cases() {
    using F = Activation::Function;
    const LayerSpec out3{"out", Linear{3}}, flatten{"flatten", Flatten{}},
        pool{"gap", GlobalAvgPool2d{}}, mean{"mean", MeanOverTime{}};
    std::vector<Case> list;
    list.push_back({"mlp", spec_of({7}, {{"fc", Linear{11}}, {"a", act(F::kTanh)}, out3}, 3)});
    list.push_back({"linear_without_bias",
                    spec_of({7}, {{"fc", Linear{11, false}}, {"a", act(F::kGelu)}, out3}, 3)});
    list.push_back({"linear_frozen_first",
                    spec_of({7}, {{"fc", Linear{11}, true}, {"a", act(F::kRelu)}, out3}, 3)});
    list.push_back(
        {"linear_frozen_last",
         spec_of({7}, {{"fc", Linear{11}}, {"a", act(F::kRelu)}, {"out", Linear{3}, true}}, 3)});
    list.push_back(
        {"linear_on_sequence",
         spec_of({9, 6}, {{"fc", Linear{5}}, {"a", act(F::kSilu)}, {"fc2", Linear{4}}, mean, out3},
                 3)});
    list.push_back({"long_sequence_small_weight",
                    spec_of({80, 3}, {{"fc", Linear{4}}, {"a", act(F::kTanh)}, mean, out3}, 3)});
    list.push_back(
        {"conv2d",
         spec_of(
             {2, 9, 8},
             {{"c", Conv2d{4, 3, 1, 1}}, {"a", act(F::kElu)}, {"c2", Conv2d{5, 3, 2}}, pool, out3},
             3)});
    list.push_back({"conv2d_large_kernel_stride", spec_of({1, 28, 28},
                                                          {{"c", Conv2d{16, 8, 2, 3}},
                                                           {"a", act(F::kTanh)},
                                                           {"p", MaxPool2d{2, 1}},
                                                           {"c2", Conv2d{8, 4, 2}},
                                                           flatten,
                                                           out3},
                                                          3)});
    list.push_back({"conv2d_few_pixels", spec_of({3, 4, 4},
                                                 {{"c", Conv2d{32, 3, 1, 1, 1, false}},
                                                  {"a", act(F::kRelu)},
                                                  {"c2", Conv2d{40, 3, 2, 1, 1, false}},
                                                  flatten,
                                                  out3},
                                                 3)});
    list.push_back({"conv2d_groups", spec_of({4, 6, 6},
                                             {{"c", Conv2d{8, 3, 1, 1, 4}},
                                              {"a", act(F::kTanh)},
                                              {"c2", Conv2d{6, 3, 1, 0, 2}},
                                              pool,
                                              out3},
                                             3)});
    list.push_back(
        {"conv1d",
         spec_of(
             {12, 4},
             {{"c", Conv1d{6, 3, 2, 1}}, {"a", act(F::kTanh)}, {"c2", Conv1d{5, 2}}, mean, out3},
             3)});
    list.push_back(
        {"avg_pool",
         spec_of(
             {2, 8, 8},
             {{"c", Conv2d{4, 3, 1, 1}}, {"p", AvgPool2d{}}, {"s", act(F::kSquare)}, flatten, out3},
             3)});
    list.push_back(
        {"group_norm",
         spec_of({3, 6, 6},
                 {{"c", Conv2d{8, 3, 1, 1}}, {"n", GroupNorm{4}}, {"a", act(F::kRelu)}, pool, out3},
                 3)});
    list.push_back(
        {"group_norm_first", spec_of({4, 5, 5}, {{"n", GroupNorm{2}}, flatten, out3}, 3)});
    list.push_back(
        {"layer_norm",
         spec_of({6, 10},
                 {{"fc", Linear{8}}, {"n", LayerNorm{}}, {"a", act(F::kSoftplus)}, mean, out3},
                 3)});
    list.push_back(
        {"layer_norm_flat", spec_of({10}, {{"fc", Linear{8}}, {"n", LayerNorm{}}, out3}, 3)});
    list.push_back(
        {"rms_norm", spec_of({6, 10}, {{"fc", Linear{8}}, {"n", RmsNorm{}}, mean, out3}, 3)});
    list.push_back({"embedding", spec_of({9},
                                         {{"e", Embedding{6, 8}},
                                          {"pos", PositionalEmbedding{}},
                                          {"fc", Linear{7}},
                                          {"a", act(F::kTanh)},
                                          mean,
                                          out3},
                                         3, true)});
    list.push_back(
        {"attention",
         spec_of({7, 8}, {{"pos", PositionalEmbedding{}}, {"att", SelfAttention{2}}, mean, out3},
                 3)});
    list.push_back(
        {"attention_causal", spec_of({7, 8}, {{"att", SelfAttention{4, true}}, mean, out3}, 3)});
    list.push_back(
        {"lstm", spec_of({6, 5}, {{"rnn", Lstm{7}}, {"last", LastTimeStep{}}, out3}, 3)});
    list.push_back({"gru", spec_of({6, 5}, {{"rnn", Gru{7}}, {"last", LastTimeStep{}}, out3}, 3)});
    Residual block;
    block.body = {{"c", Conv2d{4, 3, 1, 1}}, {"n", GroupNorm{2}}};
    block.shortcut = {{"c", Conv2d{4, 1, 1, 0, 1, false}}};
    Residual identity;
    identity.body = {{"c", Conv2d{4, 3, 1, 1}}};
    list.push_back(
        {"residual",
         spec_of({2, 6, 6}, {{"r1", block}, {"a", act(F::kTanh)}, {"r2", identity}, pool, out3},
                 3)});
    // Language-model head tied to the embedding; repeated tokens make the cross term matter.
    list.push_back({"tied_embedding", spec_of({8},
                                              {{"e", Embedding{5, 6}},
                                               {"fc", Linear{6}},
                                               {"a", act(F::kTanh)},
                                               {"head", Linear{5, true, "e"}},
                                               mean},
                                              5, true)});
    list.push_back({"tied_linear", spec_of({6},
                                           {{"fc", Linear{6}},
                                            {"a", act(F::kTanh)},
                                            {"again", Linear{6, true, "fc"}},
                                            {"b", act(F::kTanh)},
                                            out3},
                                           3)});
    ZooOptions transformer;
    transformer.input_shape = {10};
    transformer.vocabulary = 12;
    transformer.dimension = 16;
    transformer.depth = 2;
    transformer.outputs = 2;
    list.push_back({"zoo_transformer", make_model("transformer", transformer)});
    ZooOptions resnet;
    resnet.input_shape = {3, 8, 8};
    resnet.outputs = 10;
    list.push_back({"zoo_resnet18_gn", make_model("resnet18-gn", resnet)});
    return list;
}

at::Tensor random_input(const ModelSpec& spec, int64_t rows) {
    std::vector<int64_t> shape = spec.input_shape;
    shape.insert(shape.begin(), rows);
    return spec.token_input ? torch::randint(0, 5, shape).to(at::kFloat) : torch::randn(shape);
}

at::Tensor summed_loss(const at::Tensor& logits, const at::Tensor& labels) {
    return at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum);
}

struct Expected {
    at::Tensor squared;            // {B}
    std::vector<at::Tensor> sums;  // per parameter
};

// The slow way, under plain autograd: examples one at a time, their `views` rows together.
Expected one_at_a_time(Network& network, const at::Tensor& x, const at::Tensor& y, int64_t views,
                       const at::Tensor& factors) {
    std::vector<at::Tensor> trainable;
    for (auto& parameter : network.parameters()) {
        parameter.value.set_requires_grad(parameter.trainable);
        if (parameter.trainable) trainable.push_back(parameter.value);
    }
    Expected expected{torch::zeros({factors.size(0)}, at::kDouble), {}};
    for (int64_t b = 0; b < factors.size(0); ++b) {
        const at::Tensor loss = summed_loss(network.forward(x.narrow(0, b * views, views)),
                                            y.narrow(0, b * views, views));
        const auto gradients = torch::autograd::grad({loss}, trainable);
        for (size_t i = 0; i < gradients.size(); ++i) {
            expected.squared[b] += gradients[i].to(at::kDouble).square().sum();
            const at::Tensor scaled = gradients[i].to(at::kDouble) * factors[b].item<double>();
            if (b == 0)
                expected.sums.push_back(scaled);
            else
                expected.sums[i] += scaled;
        }
    }
    for (auto& parameter : network.parameters()) parameter.value.set_requires_grad(false);
    return expected;
}

PrivateGradients recorded(const Network& network, const at::Tensor& x, const at::Tensor& y,
                          PrivateGradientOptions options) {
    Tape tape;
    summed_loss(network.forward(x, &tape), y).backward();
    return PrivateGradients(network, std::move(tape), options);
}

double relative_difference(const at::Tensor& got, const at::Tensor& expected) {
    const double scale = expected.norm().item<double>();
    return (got.to(at::kDouble) - expected.to(at::kDouble)).norm().item<double>() /
           std::max(scale, 1e-12);
}

void expect_same(Network& network, const at::Tensor& x, const at::Tensor& y,
                 PrivateGradientOptions options) {
    const at::Tensor factors = torch::rand({x.size(0) / options.views}) + 0.1;
    const Expected expected = one_at_a_time(network, x, y, options.views, factors);
    PrivateGradients gradients = recorded(network, x, y, options);
    EXPECT_LT(relative_difference(gradients.squared_norms().sum(0), expected.squared), kTolerance);
    EXPECT_TRUE((gradients.squared_norm_bounds().sum(0) >= expected.squared * (1 - 1e-6))
                    .all()
                    .item<bool>());

    std::vector<at::Tensor> sums(network.parameters().size());
    const at::Tensor per_layer =
        factors.expand({static_cast<int64_t>(gradients.layers().size()), -1}).contiguous();
    gradients.add_weighted_sum(per_layer, sums);
    size_t place = 0;
    double whole = 0;
    for (const at::Tensor& sum : expected.sums) whole += sum.square().sum().item<double>();
    for (size_t i = 0; i < sums.size(); ++i) {
        ASSERT_EQ(sums[i].defined(), network.parameters()[i].trainable)
            << network.parameters()[i].name;
        if (!sums[i].defined()) continue;
        ASSERT_EQ(sums[i].sizes(), network.parameters()[i].value.sizes())
            << network.parameters()[i].name;
        const at::Tensor difference = sums[i].to(at::kDouble) - expected.sums[place++];
        EXPECT_LT(difference.norm().item<double>() / std::sqrt(whole), kTolerance)
            << network.parameters()[i].name;
    }
}

class PrivateGradientsTest : public ::testing::TestWithParam<Case> {};

TEST_P(PrivateGradientsTest, AgreeWithOneExampleAtATimeForEveryMethodAndNumberOfViews) {
    torch::manual_seed(7);
    Network network(GetParam().spec, 3);
    for (int64_t views : {1, 3}) {
        const at::Tensor x = random_input(GetParam().spec, kBatch * views);
        const at::Tensor y = torch::randint(0, GetParam().spec.outputs, {kBatch * views});
        for (NormMethod method : {NormMethod::kCheapest, NormMethod::kGhost, NormMethod::kDirect}) {
            SCOPED_TRACE("views " + std::to_string(views) + " method " +
                         std::to_string(static_cast<int>(method)));
            expect_same(network, x, y, {views, method});
        }
    }
}

TEST_P(PrivateGradientsTest, ForwardIsTheSameWithAndWithoutATape) {
    torch::manual_seed(8);
    const Network network(GetParam().spec, 3);
    const at::Tensor x = random_input(GetParam().spec, kBatch);
    Tape tape;
    EXPECT_TRUE(at::equal(network.forward(x), network.forward(x, &tape)));
}

INSTANTIATE_TEST_SUITE_P(Layers, PrivateGradientsTest, ::testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

TEST(PrivateGradients, NormsAreEqualBitForBitForAnyNumberOfThreads) {
    ZooOptions options;
    options.input_shape = {1, 28, 28};
    options.outputs = 10;
    torch::manual_seed(9);
    const Network network(make_model("cnn", options), 3);
    const at::Tensor x = torch::randn({32, 1, 28, 28}), y = torch::randint(0, 10, {32});
    set_threads(1);
    const at::Tensor one = recorded(network, x, y, {}).squared_norms().clone();
    const at::Tensor again = recorded(network, x, y, {}).squared_norms().clone();
    set_threads(2);
    const at::Tensor two = recorded(network, x, y, {}).squared_norms().clone();
    EXPECT_TRUE(at::equal(one, again));
    EXPECT_LT(relative_difference(two, one), 1e-6);
}

// Layers large enough to be computed in bfloat16.
std::vector<Case> bf16_cases() {
    const LayerSpec out{"out", Linear{10}};
    std::vector<Case> list;
    list.push_back({"mlp", spec_of({192},
                                   {{"fc", Linear{256}},
                                    {"a", act(Activation::Function::kTanh)},
                                    {"fc2", Linear{256}},
                                    out},
                                   10)});
    list.push_back(
        {"sequence",
         spec_of({20, 160},
                 {{"fc", Linear{256}}, {"att", SelfAttention{4}}, {"mean", MeanOverTime{}}, out},
                 10)});
    list.push_back({"conv", spec_of({64, 8, 8},
                                    {{"c", Conv2d{64, 3, 1, 1}},
                                     {"a", act(Activation::Function::kRelu)},
                                     {"c2", Conv2d{128, 3, 2, 1}},
                                     {"gap", GlobalAvgPool2d{}},
                                     out},
                                    10)});
    return list;
}

TEST(PrivateGradients, Bfloat16NormBoundsHoldForTheContributionReallyAdded) {
    torch::manual_seed(10);
    for (const Case& item : bf16_cases()) {
        SCOPED_TRACE(item.name);
        Network network(item.spec, 3);
        network.set_precision(Precision::kBf16);
        for (int trial = 0; trial < 20; ++trial) {
            const at::Tensor x = random_input(item.spec, 1),
                             y = torch::randint(0, item.spec.outputs, {1});
            PrivateGradients gradients = recorded(network, x, y, {});
            const float factor = 0.3f + 0.03f * static_cast<float>(trial);
            const at::Tensor factors =
                torch::full({static_cast<int64_t>(gradients.layers().size()), 1}, factor);
            std::vector<at::Tensor> sums(network.parameters().size());
            gradients.add_weighted_sum(factors, sums);
            double squared = 0;
            for (const at::Tensor& sum : sums)
                squared += sum.to(at::kDouble).square().sum().item<double>();
            const double bound = std::sqrt(gradients.squared_norm_bounds().sum().item<double>());
            EXPECT_LE(std::sqrt(squared), factor * bound * (1 + 1e-6));
            EXPECT_GE(std::sqrt(squared), 0.9 * factor * bound);  // and is no needless excess
        }
    }
}

TEST(PrivateGradients, Bfloat16IsCloseToFloat32) {
    torch::manual_seed(11);
    for (const Case& item : bf16_cases()) {
        Network network(item.spec, 3);
        const at::Tensor x = random_input(item.spec, 8),
                         y = torch::randint(0, item.spec.outputs, {8});
        const at::Tensor exact = recorded(network, x, y, {}).squared_norms().sum(0).clone();
        network.set_precision(Precision::kBf16);
        const at::Tensor rounded = recorded(network, x, y, {}).squared_norms().sum(0).clone();
        const double difference = relative_difference(rounded, exact);
        EXPECT_GT(difference, 1e-6) << item.name << " was not rounded at all";
        EXPECT_LT(difference, 0.05) << item.name;
    }
}

}  // namespace
}  // namespace ward::nn
