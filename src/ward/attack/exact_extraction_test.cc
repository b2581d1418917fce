#include "ward/attack/exact_extraction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/model/zoo.h"
#include "ward/nn/network.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

const bool kQuiet = [] {
    set_progress_mode(ProgressMode::kOff);
    return true;
}();

using ::testing::HasSubstr;
using ward::testonly::message_of;

model::Model random_network(int64_t inputs, int64_t hidden, int64_t outputs, uint64_t seed) {
    model::ModelSpec spec;
    spec.name = "victim";
    spec.input_shape = {inputs};
    spec.task = model::Task::kRegression;
    spec.outputs = outputs;
    spec.layers = {{"fc1", model::Linear{.out_features = hidden}},
                   {"relu", model::Activation{}},
                   {"fc2", model::Linear{.out_features = outputs}}};
    model::Model model;
    model.spec = spec;
    model.weights = nn::Network(spec, seed).export_weights();
    return model;
}

TEST(ExactExtraction, CopiesTheNetworkOfThePaperToTheLastDigits) {
    const model::Model victim = random_network(784, 32, 1, 3);
    const ExactExtraction copy = extract_exactly(exact_oracle(victim), 784, {});
    EXPECT_EQ(copy.neurons, 32);
    EXPECT_FALSE(copy.linear_part);
    EXPECT_TRUE(copy.complete);
    EXPECT_LE(copy.max_error, 1e-6);
    EXPECT_GT(copy.output_scale, 0.01) << "a constant would be easy to copy";
    EXPECT_GT(copy.queries, 32 * 785);
}

TEST(ExactExtraction, SeesAllOutputs) {
    const model::Model victim = random_network(20, 8, 3, 5);
    ExactExtractionOptions options;
    options.check_points = 1000;
    const ExactExtraction copy = extract_exactly(exact_oracle(victim), 20, options);
    EXPECT_EQ(copy.neurons, 8);
    EXPECT_LE(copy.max_error, 1e-8);
}

// With more neurons than inputs the signs are not determined; the copy is equal all the same.
TEST(ExactExtraction, KeepsALinearPartWhereSignsAreUndetermined) {
    const model::Model victim = random_network(6, 16, 1, 9);
    ExactExtractionOptions options;
    options.check_points = 1000;
    const ExactExtraction copy = extract_exactly(exact_oracle(victim), 6, options);
    EXPECT_EQ(copy.neurons, 16);
    EXPECT_TRUE(copy.linear_part);
    EXPECT_LE(copy.max_error, 1e-6);
}

TEST(ExactExtraction, FarNeuronsAndASavedModel) {
    model::Model victim = random_network(30, 6, 2, 11);
    victim.weights.at("fc1.bias").values[0] = 40;  // switches far from the origin
    victim.weights.at("fc1.bias").values[1] = -25;
    ExactExtractionOptions options;
    options.check_points = 1000;
    const ExactExtraction copy = extract_exactly(exact_oracle(victim), 30, options);
    EXPECT_EQ(copy.neurons, 6);
    EXPECT_LE(copy.max_error, 1e-6);

    const model::Model saved = to_model(copy, {30}, model::Task::kRegression);
    const at::Tensor x = at::randn({50, 30});
    const at::Tensor difference = nn::Network(saved).forward(x) - nn::Network(victim).forward(x);
    EXPECT_LT(difference.abs().max().item<double>(), 1e-4);
}

TEST(ExactExtraction, EndsWithItsBudgetAndSaysSo) {
    const model::Model victim = random_network(50, 8, 1, 13);
    ExactExtractionOptions options;
    options.check_points = 100;
    options.most_queries = 1500;
    const ExactExtraction copy = extract_exactly(exact_oracle(victim), 50, options);
    EXPECT_FALSE(copy.complete);
    EXPECT_LT(copy.neurons, 8);
    EXPECT_LE(copy.queries, 1500 + 51 + 4 * (8 + 2 + 1)) << "only the last fit goes beyond";
}

TEST(ExactExtraction, ALinearModelIsCopiedAndSaidToBeLinear) {
    const at::Tensor weight = at::randn({3, 20}, at::make_generator<at::CPUGeneratorImpl>(4),
                                        at::TensorOptions().dtype(at::kDouble));
    const ExactOracle oracle = [&](const at::Tensor& x) { return x.mm(weight.t()) + 0.25; };
    ExactExtractionOptions options;
    options.check_points = 1000;
    const ExactExtraction copy = extract_exactly(oracle, 20, options);
    EXPECT_TRUE(copy.linear());
    EXPECT_EQ(copy.neurons, 0);
    EXPECT_TRUE(copy.complete);
    EXPECT_LT(copy.max_error, 1e-10);
    // A network that bends is not, whatever else it holds.
    const ExactOracle bent = [&](const at::Tensor& x) {
        return x.mm(weight.t()) + at::relu(x.narrow(1, 0, 1) + x.narrow(1, 1, 1));
    };
    const ExactExtraction other = extract_exactly(bent, 20, options);
    EXPECT_FALSE(other.linear());
    EXPECT_TRUE(other.linear_part);
    EXPECT_EQ(other.neurons, 1);
}

TEST(ExactExtraction, RefusesWhatItCannotCopy) {
    const ExactOracle rounded = [](const at::Tensor& x) {
        return at::relu(x.sum(1, true)).mul(10).round() / 10;
    };
    ExactExtractionOptions options;
    options.most_queries = 20000;
    EXPECT_THAT(message_of([&] { extract_exactly(rounded, 5, options); }, ErrorCode::kUnsupported),
                HasSubstr("no neuron was found"));
    const ExactOracle broken = [](const at::Tensor& x) {
        return at::full({x.size(0), 1}, std::nan(""), at::kDouble);
    };
    EXPECT_THAT(message_of([&] { extract_exactly(broken, 5, {}); }), HasSubstr("not finite"));
    options.range = -1;
    EXPECT_THAT(message_of([&] { extract_exactly(rounded, 5, options); }, ErrorCode::kUsage),
                HasSubstr("range"));
    model::Model cnn;
    cnn.spec = model::make_model("cnn", {.input_shape = {1, 28, 28}, .outputs = 10});
    EXPECT_THAT(message_of([&] { exact_oracle(cnn); }, ErrorCode::kUnsupported),
                HasSubstr("exact extraction takes flatten"));
}

}  // namespace
}  // namespace ward::attack
