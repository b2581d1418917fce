#include "ward/mpc/learn/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/model/zoo.h"
#include "ward/mpc/learn/network.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;
using Kind = NetworkLayer::Kind;
using StepKind = NetworkStep::Kind;

model::ModelSpec spec_of(std::vector<model::LayerSpec> layers) {
    model::ModelSpec spec;
    spec.name = "net";
    spec.input_shape = {2, 8, 8};
    spec.outputs = 3;
    spec.layers = std::move(layers);
    return spec;
}

TEST(Shape, ReadsAModelSpec) {
    const NetworkShape shape = shape_of(spec_of({{"c", model::Conv2d{5, 3, 1, 1}},
                                                 {"a", model::Activation{}},
                                                 {"p", model::MaxPool2d{2, 2, 0}},
                                                 {"g", model::GlobalAvgPool2d{}},
                                                 {"o", model::Linear{3, true, ""}}}));
    EXPECT_EQ(shape.image, (ImageShape{8, 8, 2}));
    const std::vector<NetworkLayer> expected = {{Kind::kConvolution, 5, 3, 1, 1},
                                                {.kind = Kind::kRelu},
                                                {Kind::kMaxPool, 0, 2, 2, 0},
                                                {Kind::kAveragePool, 0, 4, 1, 0},
                                                {Kind::kDense, 3}};
    EXPECT_EQ(shape.layers, expected);
    EXPECT_EQ(shape.inputs(), 128u);
    EXPECT_EQ(shape.outputs(), 3u);
    // The zoo's network for MNIST, which overlaps its pools.
    const NetworkShape cnn =
        shape_of(model::make_model("cnn", {.input_shape = {1, 28, 28}, .outputs = 10}));
    EXPECT_EQ(steps_of(cnn).back().output, (ImageShape{1, 1, 10}));
}

TEST(Shape, MergesAveragePoolsAndPutsMaxPoolsFirst) {
    NetworkShape shape{.widths = {},
                       .image = {28, 28, 1},
                       .layers = {{Kind::kConvolution, 20, 5},
                                  {Kind::kAveragePool, 0, 2, 2},
                                  {.kind = Kind::kRelu},
                                  {Kind::kMaxPool, 0, 2, 2},
                                  {Kind::kDense, 10}}};
    const std::vector<NetworkStep> steps = steps_of(shape);
    ASSERT_EQ(steps.size(), 4u);
    EXPECT_EQ(steps[0].kind, StepKind::kProduct);
    EXPECT_EQ(steps[0].output, (ImageShape{12, 12, 20}));
    EXPECT_EQ(steps[0].box_bits, 2);
    EXPECT_EQ(steps[1].kind, StepKind::kMaxPool);
    EXPECT_EQ(steps[2].kind, StepKind::kRelu);
    EXPECT_EQ(steps[2].output, (ImageShape{6, 6, 20}));
    EXPECT_EQ(steps[3].weight_rows(), 720u);
    // Not with a stride, and not 3 x 3, whose mean is no shift.
    shape.layers[0].stride = 2;
    EXPECT_EQ(steps_of(shape).size(), 5u);
}

TEST(Shape, DifferentNetworksHaveDifferentTexts) {
    const NetworkShape one{.widths = {4, 2}, .image = {}, .layers = {}};
    const NetworkShape other{.widths = {}, .image = {1, 1, 4}, .layers = {{Kind::kDense, 2}}};
    EXPECT_NE(one.text(), other.text());
    EXPECT_EQ(one.text(), "|4|2");
}

TEST(Shape, RefusesWhatHasNoFormOnSharesByName) {
    const auto refused = [](model::LayerSpec layer) {
        return testonly::message_of(
            [&] {
                (void)shape_of(
                    spec_of({layer, {"f", model::Flatten{}}, {"o", model::Linear{3, true, ""}}}));
            },
            ErrorCode::kUnsupported);
    };
    EXPECT_THAT(refused({"norm", model::RmsNorm{}}), HasSubstr("layer norm: rms_norm"));
    EXPECT_THAT(refused({"t", model::Activation{model::Activation::Function::kTanh}}),
                HasSubstr("layer t: an activation other than relu"));
    EXPECT_THAT(refused({"c", model::Conv2d{4, 3, 1, 0, 2}}), HasSubstr("groups"));
    EXPECT_THAT(refused({"p", model::AvgPool2d{2, 2, 1}}), HasSubstr("a pool with padding"));
    EXPECT_THAT(refused({"c", model::Conv2d{4, 3}, true}), HasSubstr("frozen"));
}

// One position is not the whole image when a pool makes it one of four, or the stride leaves
// pixels out.
TEST(Shape, AConvolutionWithOneOutputIsNotDense) {
    for (size_t stride : {1u, 2u}) {
        NetworkShape shape{.widths = {}, .image = {4, 4, 1}, .layers = {}};
        shape.layers = {{.kind = Kind::kConvolution, .outputs = 2, .kernel = 3, .stride = stride},
                        {.kind = Kind::kAveragePool, .outputs = 0, .kernel = stride == 1 ? 2u : 1u},
                        {.kind = Kind::kDense, .outputs = 3}};
        const std::vector<NetworkStep> steps = steps_of(shape);
        EXPECT_EQ(steps[0].output.size(), 2u);
        EXPECT_FALSE(steps[0].is_dense());
        EXPECT_EQ(steps[0].weight_rows(), 9u);
        EXPECT_TRUE(steps.back().is_dense());
        Twin twin(testonly::seeded_random(1));
        TwinNetwork network(twin, shape, zero_weights(shape), {.batch_size = 2});
        RingMatrix x(2, 16);
        std::fill(x.values.begin(), x.values.end(), Ring{1} << 15);
        EXPECT_EQ(network.scores(x).cols, 3u);
    }
}

}  // namespace
}  // namespace ward::mpc
