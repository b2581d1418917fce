#include "ward/train/internal/row_invariance.h"

#include <gtest/gtest.h>

#include "ward/core/cpu.h"
#include "ward/model/zoo.h"
#include "ward/nn/tape.h"
#include "ward/nn/torch.h"
#include "ward/train/private_step.h"

namespace ward::train {
namespace {

struct Case {
    const char* name;
    const char* model;
    model::Shape input;
    model::Activation::Function activation;
    int64_t usual;
};

using Function = model::Activation::Function;

const Case kCases[] = {{"mlp", "mlp", {300}, Function::kRelu, 200},
                       {"mlp_gelu", "mlp", {37}, Function::kGelu, 50},
                       {"cnn", "cnn", {1, 28, 28}, Function::kRelu, 96},
                       {"resnet", "resnet18-gn", {3, 16, 16}, Function::kRelu, 20},
                       {"transformer", "transformer", {16}, Function::kGelu, 24},
                       {"lstm", "lstm", {9, 5}, Function::kTanh, 40}};

class Passes : public testing::TestWithParam<Case> {};

model::ModelSpec spec_of(const Case& c) {
    model::ZooOptions options;
    options.input_shape = c.input;
    options.outputs = 10;
    options.activation = c.activation;
    if (c.input.size() == 1 && std::string(c.model) == "transformer") options.vocabulary = 50;
    if (std::string(c.model) == "mlp") options.hidden = {700, 300};
    return model::make_model(c.model, options);
}

at::Tensor inputs_of(const model::ModelSpec& spec, int64_t rows) {
    torch::manual_seed(5);
    std::vector<int64_t> shape = spec.input_shape;
    shape.insert(shape.begin(), rows);
    return spec.token_input ? torch::randint(0, 50, shape).to(at::kFloat) : torch::randn(shape);
}

// What the passes leave of each example, one tensor per recorded use.
std::vector<at::Tensor> recorded(nn::Network& network, RowInvariance& invariance,
                                 const at::Tensor& inputs) {
    std::vector<std::vector<at::Tensor>> parts;
    int64_t first = 0;
    for (const RowInvariance::Pass& pass : invariance.passes(inputs.size(0))) {
        nn::Tape tape;
        const at::Tensor x = padded(inputs.narrow(0, first, pass.examples), pass.rows);
        summed_loss(network.forward(x, &tape), torch::zeros({pass.rows}, at::kLong),
                    model::Task::kClassification, 1)
            .backward();
        tape.keep_rows(pass.examples);
        parts.resize(tape.uses().size());
        for (size_t i = 0; i < parts.size(); ++i) parts[i].push_back(tape.uses()[i].gradient);
        first += pass.examples;
    }
    std::vector<at::Tensor> whole;
    for (const auto& part : parts) whole.push_back(at::cat(part));
    return whole;
}

TEST_P(Passes, LeaveEveryExampleTheSameBitsWhoeverElseIsInTheBatch) {
    nn::Network network(spec_of(GetParam()), 1);
    const int64_t usual = GetParam().usual;
    RowInvariance invariance(network, usual, 1);
    if (cpu_features().avx512) {
        EXPECT_GE(invariance.reference_rows(), 16) << "one example at a time";
    }
    const at::Tensor inputs = inputs_of(network.spec(), 2 * usual);
    const auto whole = recorded(network, invariance, inputs);
    for (const int64_t count : {int64_t{1}, int64_t{3}, usual - 3, usual, usual + 1, usual + 17}) {
        for (const int64_t skipped : {int64_t{0}, int64_t{1}, usual / 3}) {
            if (skipped + count > 2 * usual) continue;
            const auto part = recorded(network, invariance, inputs.narrow(0, skipped, count));
            for (size_t i = 0; i < whole.size(); ++i) {
                EXPECT_TRUE(at::equal(part[i], whole[i].narrow(0, skipped, count)))
                    << GetParam().name << " use " << i << ", " << count << " examples from "
                    << skipped;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Models, Passes, testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

// Every unit of the first layer stands at the kink of its ReLU, as exactly as float32 allows: the
// last bit of a sum says whether it is on. With kernels that treat some rows differently, one more
// row switches units of the others.
TEST(RowInvariance, AnExampleDoesNotSwitchTheUnitsOfOthersAtTheirKinks) {
    const Case& mlp = kCases[0];
    nn::Network network(spec_of(mlp), 1);
    const at::Tensor row = inputs_of(network.spec(), 1);
    auto& parameters = network.parameters();
    parameters[1].value = at::mv(parameters[0].value, row[0]).neg();
    RowInvariance invariance(network, mlp.usual, 1);
    const at::Tensor first = recorded(network, invariance, row)[0];
    for (const int64_t count :
         {mlp.usual - 1, mlp.usual, mlp.usual + 1, mlp.usual + 8, mlp.usual + 9}) {
        const at::Tensor all =
            recorded(network, invariance, row.expand({count, -1}).contiguous())[0];
        EXPECT_TRUE(at::equal(all, first.expand_as(all))) << count;
    }
}

// With many views a reference of few examples would leave nothing to compare with.
TEST(RowInvariance, ViewsOfFewExamplesAreComparedToo) {
    nn::Network network(spec_of(kCases[0]), 1);
    for (const int64_t views : {8, 32}) {
        RowInvariance invariance(network, 2, views);
        const int64_t reference = invariance.reference_rows();
        EXPECT_TRUE(reference == views || reference >= 5 * views) << reference;
        EXPECT_EQ(invariance.passes(2).front().rows % views, 0);
    }
}

TEST(RowInvariance, PassesCoverAllExamplesOnce) {
    nn::Network network(spec_of(kCases[0]), 1);
    RowInvariance invariance(network, 20, 2);
    for (const int64_t examples : {0, 1, 7, 20, 21, 400}) {
        int64_t total = 0;
        for (const RowInvariance::Pass& pass : invariance.passes(examples)) {
            EXPECT_GE(pass.rows, 2 * pass.examples);
            total += pass.examples;
        }
        EXPECT_EQ(total, examples);
    }
}

TEST(RowInvariance, LeavesTheGeneratorAndTheModeOfTheNetworkAlone) {
    nn::Network network(spec_of(kCases[0]), 1);
    network.set_training(true);
    torch::manual_seed(3);
    const at::Tensor expected = torch::rand({4});
    torch::manual_seed(3);
    RowInvariance(network, 40, 1).passes(30);
    EXPECT_TRUE(at::equal(torch::rand({4}), expected));
    EXPECT_TRUE(network.training());
}

}  // namespace
}  // namespace ward::train
