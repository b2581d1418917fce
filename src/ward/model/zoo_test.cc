#include "ward/model/zoo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/core/error.h"

namespace ward::model {
namespace {

using ::testing::HasSubstr;

ZooOptions options_for(Shape input, int64_t outputs) {
    ZooOptions options;
    options.input_shape = std::move(input);
    options.outputs = outputs;
    return options;
}

int64_t count(const std::string& name, const ZooOptions& options) {
    return parameter_count(make_model(name, options));
}

// Counts from the literature: Papernot et al. 2021 (MNIST CNN, 26,010; its CIFAR-10 network
// 550,570), the widely used CIFAR ResNet-18 (11,173,962; GroupNorm has as many parameters as
// BatchNorm), the benchmark table in the project's issue (transformer).
TEST(Zoo, ParameterCountsAreTheKnownOnes) {
    EXPECT_EQ(count("cnn", options_for({1, 28, 28}, 10)), 26010);
    EXPECT_EQ(count("cnn", options_for({3, 32, 32}, 10)), 550570);
    EXPECT_EQ(count("resnet18-gn", options_for({3, 32, 32}, 10)), 11173962);
    EXPECT_EQ(count("logistic", options_for({784}, 10)), 7850);
    ZooOptions wide = options_for({1, 28, 28}, 10);
    wide.hidden = {1024, 1024};
    EXPECT_EQ(count("mlp", wide), 785 * 1024 + 1025 * 1024 + 1025 * 10);
    ZooOptions text = options_for({128}, 2);
    text.vocabulary = 8000;
    EXPECT_EQ(count("transformer", text), 5240834);
    EXPECT_EQ(count("lstm", text), 8000 * 256 + 4 * 256 * (256 + 256 + 2) + 514);
}

TEST(Zoo, SuitsManyImageSizes) {
    for (const Shape& shape : std::vector<Shape>{{1, 8, 8},
                                                 {1, 2, 2},
                                                 {3, 16, 16},
                                                 {3, 20, 31},
                                                 {3, 32, 32},
                                                 {3, 64, 48},
                                                 {3, 224, 224}}) {
        const ModelSpec spec = make_model("cnn", options_for(shape, 7));
        EXPECT_LT(parameter_count(spec), 3'000'000) << shape_text(shape);
        if (shape[1] >= 8) make_model("resnet18-gn", options_for(shape, 7));
    }
}

TEST(Zoo, TakesSequencesOfRealNumbers) {
    for (const char* name : {"transformer", "lstm"}) {
        const ModelSpec spec = make_model(name, options_for({30, 9}, 6));
        EXPECT_FALSE(spec.token_input);
        EXPECT_EQ(kind_name(spec.layers[0].kind), "linear");
    }
}

TEST(Zoo, UsesTheActivationOfTheOptions) {
    ZooOptions options = options_for({1, 28, 28}, 10);
    options.activation = Activation::Function::kTanh;
    int found = 0;
    for (const LayerSpec& layer : make_model("cnn", options).layers) {
        if (const auto* act = std::get_if<Activation>(&layer.kind)) {
            EXPECT_EQ(act->function, Activation::Function::kTanh);
            ++found;
        }
    }
    EXPECT_EQ(found, 3);
}

TEST(Zoo, ErrorsSayWhatSuits) {
    const auto refused = [](const std::string& name, const ZooOptions& options, ErrorCode code) {
        try {
            make_model(name, options);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), code);
            return error.message() + " | " + error.hint();
        }
        return std::string();
    };
    EXPECT_THAT(
        refused("gpt", options_for({4}, 2), ErrorCode::kUsage),
        HasSubstr("there is no model \"gpt\" | known models: logistic, mlp, cnn, resnet18"));
    EXPECT_THAT(refused("cnn", options_for({30}, 2), ErrorCode::kInvalid),
                HasSubstr("cnn needs an image"));
    EXPECT_THAT(refused("resnet18-gn", options_for({3, 4, 4}, 2), ErrorCode::kInvalid),
                HasSubstr("at least 8 x 8, got inputs {3, 4, 4}"));
    EXPECT_THAT(refused("transformer", options_for({30}, 2), ErrorCode::kInvalid),
                HasSubstr("give the size of the vocabulary"));
    ZooOptions tokens = options_for({30}, 2);
    tokens.vocabulary = 100;
    EXPECT_THAT(refused("mlp", tokens, ErrorCode::kInvalid), HasSubstr("not tokens"));
    tokens.heads = 3;
    EXPECT_THAT(refused("transformer", tokens, ErrorCode::kInvalid),
                HasSubstr("heads must divide the 256 features"));
    tokens.dimension = 0;
    EXPECT_THAT(refused("lstm", tokens, ErrorCode::kInvalid), HasSubstr("dimension must be"));
    EXPECT_THAT(refused("logistic", options_for({}, 2), ErrorCode::kInvalid),
                HasSubstr("input_shape must be"));
}

}  // namespace
}  // namespace ward::model
