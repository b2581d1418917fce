#include "ward/model/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "ward/core/error.h"
#include "ward/model/zoo.h"

namespace ward::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Init = ParameterSpec::Init;

// The message of the error that `action` throws; empty when it throws none.
std::string message_of(const std::function<void()>& action, ErrorCode code = ErrorCode::kInvalid) {
    try {
        action();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.message();
        return error.message();
    }
    return "";
}

ModelSpec spec_of(Shape input, std::vector<LayerSpec> list, int64_t outputs) {
    ModelSpec spec;
    spec.name = "test";
    spec.input_shape = std::move(input);
    spec.outputs = outputs;
    spec.layers = std::move(list);
    return spec;
}

Linear linear(int64_t out) { return {out, true, ""}; }

// One block with a projecting shortcut on an {3, 8, 8} image.
ModelSpec residual_spec() {
    Residual block;
    block.body = {{"conv1", Conv2d{4, 3, 2, 1, 1, false}}, {"norm", GroupNorm{2, 1e-5}}};
    block.shortcut = {{"conv", Conv2d{4, 1, 2, 0, 1, true}}};
    return spec_of({3, 8, 8},
                   {{"block1", block}, {"pool", GlobalAvgPool2d{}}, {"output", linear(5)}}, 5);
}

TEST(OutputShape, FollowsTorchsFormulas) {
    const auto shape = [](LayerKind kind, Shape input) {
        return output_shape(LayerSpec("x", std::move(kind)), input);
    };
    // floor((size + 2 padding - kernel) / stride) + 1, as in the documentation of torch.nn.Conv2d.
    EXPECT_THAT(shape(Conv2d{16, 8, 2, 3, 1, true}, {1, 28, 28}), ElementsAre(16, 14, 14));
    EXPECT_THAT(shape(Conv2d{32, 4, 2, 0, 1, true}, {16, 13, 13}), ElementsAre(32, 5, 5));
    EXPECT_THAT(shape(Conv2d{6, 3, 1, 1, 3, true}, {3, 5, 7}), ElementsAre(6, 5, 7));
    EXPECT_THAT(shape(Conv1d{8, 3, 2, 1, 1, true}, {10, 4}), ElementsAre(5, 8));
    EXPECT_THAT(shape(MaxPool2d{2, 1, 0}, {4, 14, 14}), ElementsAre(4, 13, 13));
    EXPECT_THAT(shape(AvgPool2d{3, 2, 1}, {4, 7, 8}), ElementsAre(4, 4, 4));
    EXPECT_THAT(shape(GlobalAvgPool2d{}, {4, 7, 8}), ElementsAre(4));
    EXPECT_THAT(shape(linear(7), {5, 3}), ElementsAre(5, 7));
    EXPECT_THAT(shape(Embedding{100, 16}, {12}), ElementsAre(12, 16));
    EXPECT_THAT(shape(PositionalEmbedding{}, {12, 16}), ElementsAre(12, 16));
    EXPECT_THAT(shape(SelfAttention{4, true}, {12, 16}), ElementsAre(12, 16));
    EXPECT_THAT(shape(Lstm{20}, {12, 16}), ElementsAre(12, 20));
    EXPECT_THAT(shape(Gru{20}, {12, 16}), ElementsAre(12, 20));
    EXPECT_THAT(shape(MeanOverTime{}, {12, 16}), ElementsAre(16));
    EXPECT_THAT(shape(LastTimeStep{}, {12, 16}), ElementsAre(16));
    EXPECT_THAT(shape(Flatten{}, {2, 3, 4}), ElementsAre(24));
    EXPECT_THAT(shape(Dropout{0.1}, {2, 3, 4}), ElementsAre(2, 3, 4));
}

TEST(OutputShape, ErrorsNameLayerNeedAndGot) {
    struct Case {
        LayerKind kind;
        Shape input;
        std::string message;
    };
    const std::vector<Case> cases = {
        {Conv2d{4, 3, 1, 1, 1, true}, {256}, "needs {channels, height, width}, got {256}"},
        {Conv2d{4, 9, 1, 0, 1, true}, {1, 8, 8}, "at least 9 values under its kernel"},
        {Conv2d{0, 3, 1, 1, 1, true}, {1, 8, 8}, "out_channels must be between 1 and"},
        {Conv2d{4, 3, 0, 1, 1, true}, {1, 8, 8}, "stride must be between 1 and"},
        {Conv2d{4, 3, 1, -1, 1, true}, {1, 8, 8}, "padding must be between 0 and"},
        {Conv2d{4, 3, 1, 1, 2, true}, {3, 8, 8}, "groups must divide the 3 input and 4 output"},
        {Conv1d{4, 3, 1, 1, 1, true}, {3, 8, 8}, "needs {time, features}, got {3, 8, 8}"},
        {MaxPool2d{2, 2, 2}, {3, 8, 8}, "padding must be between 0 and 1, got 2"},
        {MaxPool2d{0, 2, 0}, {3, 8, 8}, "kernel must be between 1 and"},
        {linear(0), {3}, "out_features must be between 1 and 2147483648, got 0"},
        {linear(4), {3, 8, 8}, "needs {features} or {time, features}, got {3, 8, 8}"},
        {GroupNorm{3, 1e-5}, {4, 8, 8}, "groups must divide the 4 channels, got 3"},
        {GroupNorm{1, 1e-5}, {4, 8}, "needs {channels, height, width} or {features}"},
        {LayerNorm{0.0}, {4}, "epsilon must be > 0"},
        {SelfAttention{3, false}, {4, 8}, "heads must divide the 8 features, got 3"},
        {Lstm{-1}, {4, 8}, "hidden must be between 1 and"},
        {Dropout{1.0}, {4}, "probability must be at least 0 and less than 1"},
        {MeanOverTime{}, {4}, "needs {time, features}, got {4}"},
        {Flatten{}, {int64_t{1} << 20, int64_t{1} << 20}, "at most 2147483648 elements"},
        {Residual{}, {4}, "body must hold at least one layer"},
    };
    for (const Case& c : cases) {
        const std::string message = message_of([&] { output_shape({"here", c.kind}, c.input); });
        EXPECT_THAT(message, HasSubstr("layer here: ")) << c.message;
        EXPECT_THAT(message, HasSubstr(c.message));
    }
}

TEST(OutputShape, ErrorsGiveTheFullPath) {
    ModelSpec spec = residual_spec();
    std::get<Residual>(spec.layers[0].kind).body.emplace_back("late", Lstm{3});
    EXPECT_EQ(message_of([&] { validate(spec); }),
              "layer block1.body.late: lstm needs {time, features}, got {4, 4, 4}");
    spec = residual_spec();
    std::get<Residual>(spec.layers[0].kind).shortcut.clear();
    EXPECT_THAT(message_of([&] { validate(spec); }),
                HasSubstr("layer block1: both branches must end in one shape, got {4, 4, 4} from "
                          "the body and {3, 8, 8} from the input"));
}

TEST(Validate, RefusesIncoherentSpecs) {
    const auto refused = [](const ModelSpec& spec) { return message_of([&] { validate(spec); }); };
    EXPECT_EQ(refused(spec_of({4}, {{"output", linear(3)}}, 3)), "");
    EXPECT_THAT(refused(spec_of({4}, {{"output", linear(3)}}, 2)),
                HasSubstr("layer output: got {3}; the last layer must give {2}"));
    EXPECT_THAT(refused(spec_of({4}, {}, 2)), HasSubstr("there are no layers"));
    EXPECT_THAT(refused(spec_of({4}, {{"output", linear(1)}}, 1)), HasSubstr("at least 2 outputs"));
    EXPECT_THAT(refused(spec_of({}, {{"output", linear(3)}}, 3)), HasSubstr("input_shape must be"));
    EXPECT_THAT(refused(spec_of({0}, {{"output", linear(3)}}, 3)), HasSubstr("positive"));
    EXPECT_THAT(refused(spec_of({4}, {{"a", linear(3)}, {"a", linear(3)}}, 3)),
                HasSubstr("layer a: the name is used twice"));
    EXPECT_THAT(refused(spec_of({4}, {{"A\n", linear(3)}}, 3)), HasSubstr("got \"A?\""));
    EXPECT_THAT(
        refused(spec_of({4}, {{"e", Embedding{9, 4}}, {"m", MeanOverTime{}}}, 4)),
        HasSubstr("layer e: an embedding must be the first layer of a spec with token_inp"));
    ModelSpec tokens = spec_of({4}, {{"output", linear(3)}}, 3);
    tokens.token_input = true;
    EXPECT_THAT(refused(tokens), HasSubstr("token input needs an embedding"));
    ModelSpec unnamed = spec_of({4}, {{"output", linear(3)}}, 3);
    unnamed.name = "<b>";
    EXPECT_THAT(refused(unnamed), HasSubstr("its name must be"));
}

TEST(Validate, CapsLayersDepthAndParameters) {
    std::vector<LayerSpec> many;
    for (int i = 0; i < 4097; ++i) many.emplace_back(std::to_string(i), Activation{});
    EXPECT_THAT(message_of([&] { validate(spec_of({4}, many, 4)); }), HasSubstr("4096 layers"));

    LayerSpec deep("r", Activation{});
    for (int i = 0; i < 9; ++i) deep = LayerSpec("r", Residual{{deep}, {}});
    EXPECT_THAT(message_of([&] { validate(spec_of({4}, {deep}, 4)); }), HasSubstr("8 deep"));
    const LayerSpec less_deep = std::get<Residual>(deep.kind).body[0];
    EXPECT_EQ(message_of([&] { validate(spec_of({4}, {less_deep}, 4)); }), "");

    const ModelSpec wide = spec_of({1 << 16}, {{"a", linear(1 << 16)}, {"b", linear(2)}}, 2);
    EXPECT_THAT(message_of([&] { validate(wide); }),
                HasSubstr("layer a: a model may have at most"));
    // The product of the kernel's sides alone overflows 64 bits.
    const int64_t huge = int64_t{1} << 31;
    const ModelSpec kernel =
        spec_of({1, huge, 1}, {{"c", Conv2d{huge, huge, huge, huge, 1, true}}}, 2);
    EXPECT_THAT(message_of([&] { validate(kernel); }), HasSubstr("layer c: "));
}

TEST(Validate, ChecksTiedWeights) {
    ModelSpec spec = spec_of(
        {7},
        {{"embed", Embedding{50, 8}}, {"out", Linear{50, true, "embed"}}, {"m", MeanOverTime{}}},
        50);
    spec.token_input = true;
    validate(spec);
    EXPECT_EQ(parameter_count(spec), 50 * 8 + 50);
    EXPECT_EQ(parameters(spec)[1].name, "out.bias");

    spec.layers[1].kind = Linear{40, true, "embed"};
    EXPECT_THAT(
        message_of([&] { validate(spec); }),
        HasSubstr("layer out: needs a weight of shape {40, 8}, got that of embed with {50"));
    spec.layers[1].kind = Linear{50, true, "nowhere"};
    EXPECT_THAT(message_of([&] { validate(spec); }), HasSubstr("tied_to names \"nowhere\""));
    // A tied layer has no weight to share, and a later one does not exist yet.
    const ModelSpec late = spec_of({4}, {{"a", Linear{4, true, "b"}}, {"b", linear(4)}}, 4);
    EXPECT_THAT(message_of([&] { validate(late); }), HasSubstr("tied_to names \"b\""));
}

TEST(Parameters, NamesShapesAndOrderOfNestedLayers) {
    ModelSpec spec = residual_spec();
    spec.layers[0].frozen = true;
    std::vector<std::string> names;
    for (const ParameterSpec& parameter : parameters(spec)) {
        names.push_back(parameter.name + shape_text(parameter.shape) +
                        (parameter.frozen ? " frozen" : ""));
    }
    EXPECT_THAT(names,
                ElementsAre("block1.body.conv1.weight{4, 3, 3, 3} frozen",
                            "block1.body.norm.weight{4} frozen", "block1.body.norm.bias{4} frozen",
                            "block1.shortcut.conv.weight{4, 3, 1, 1} frozen",
                            "block1.shortcut.conv.bias{4} frozen", "output.weight{5, 4}",
                            "output.bias{5}"));
    EXPECT_EQ(parameter_count(spec), 108 + 4 + 4 + 12 + 4 + 20 + 5);
}

TEST(Parameters, CarryTorchsInitialisation) {
    // torch.nn: Linear and Conv reset_parameters (kaiming_uniform with a = sqrt(5), which is
    // U(+-1/sqrt(fan_in))), LSTM U(+-1/sqrt(hidden)), norms one and zero, Embedding N(0, 1).
    const ModelSpec spec = spec_of({6, 4},
                                   {{"position", PositionalEmbedding{}},
                                    {"conv", Conv1d{8, 3, 1, 1, 2, true}},
                                    {"norm", RmsNorm{}},
                                    {"attention", SelfAttention{2, false}},
                                    {"lstm", Lstm{5}},
                                    {"gru", Gru{3}},
                                    {"last", LastTimeStep{}},
                                    {"output", linear(2)}},
                                   2);
    std::map<std::string, ParameterSpec> by_name;
    for (const ParameterSpec& parameter : parameters(spec)) by_name[parameter.name] = parameter;
    EXPECT_EQ(by_name.size(), 18u);
    EXPECT_EQ(by_name["position.weight"].init, Init::kNormal);
    EXPECT_EQ(by_name["position.weight"].deviation, 0.02);
    EXPECT_THAT(by_name["conv.weight"].shape, ElementsAre(8, 2, 3));
    EXPECT_EQ(by_name["conv.weight"].fan_in, 6);
    EXPECT_EQ(by_name["conv.bias"].fan_in, 6);
    EXPECT_EQ(by_name["norm.weight"].init, Init::kOnes);
    EXPECT_EQ(by_name.count("norm.bias"), 0u);
    EXPECT_THAT(by_name["attention.in_proj.weight"].shape, ElementsAre(24, 8));
    EXPECT_THAT(by_name["attention.out_proj.bias"].shape, ElementsAre(8));
    EXPECT_THAT(by_name["lstm.weight_ih"].shape, ElementsAre(20, 8));
    EXPECT_THAT(by_name["lstm.weight_hh"].shape, ElementsAre(20, 5));
    EXPECT_EQ(by_name["lstm.bias_hh"].fan_in, 5);
    EXPECT_THAT(by_name["gru.weight_ih"].shape, ElementsAre(9, 5));
    EXPECT_EQ(by_name["output.weight"].fan_in, 3);
}

TEST(Layers, SummariseBlocksBeforeTheirContents) {
    std::vector<std::string> rows;
    for (const LayerSummary& layer : layers(residual_spec())) {
        rows.push_back(layer.path + " " + std::string(layer.kind) + " " + shape_text(layer.output) +
                       " " + std::to_string(layer.parameter_count));
    }
    EXPECT_THAT(rows,
                ElementsAre("block1 residual {4, 4, 4} 0", "block1.body.conv1 conv2d {4, 4, 4} 108",
                            "block1.body.norm group_norm {4, 4, 4} 8",
                            "block1.shortcut.conv conv2d {4, 4, 4} 16",
                            "pool global_avg_pool2d {4} 0", "output linear {5} 25"));
}

// A spec that uses every layer kind, valid or not as a whole.
std::vector<LayerSpec> one_of_each() {
    return {{"l1", Linear{3, false, "x"}, true},
            {"l2", Conv1d{1, 2, 3, 4, 5, false}},
            {"l3", Conv2d{1, 2, 3, 4, 5, false}},
            {"l4", MaxPool2d{3, 1, 1}},
            {"l5", AvgPool2d{3, 1, 1}},
            {"l6", GlobalAvgPool2d{}},
            {"l7", MeanOverTime{}},
            {"l8", LastTimeStep{}},
            {"l9", GroupNorm{2, 1e-3}},
            {"l10", LayerNorm{1e-6}},
            {"l11", RmsNorm{1e-4}},
            {"l12", Embedding{10, 4}},
            {"l13", PositionalEmbedding{}},
            {"l14", SelfAttention{2, true}},
            {"l15", Lstm{3}},
            {"l16", Gru{3}},
            {"l17", Activation{Activation::Function::kSoftplus}},
            {"l18", Dropout{0.25}},
            {"l19", Flatten{}},
            {"l20", Residual{{{"a", Activation{}}}, {{"b", Flatten{}}}}}};
}

TEST(Json, WritesEveryKind) {
    const std::string json = to_json(spec_of({1}, one_of_each(), 2));
    for (const LayerSpec& layer : one_of_each()) {
        EXPECT_THAT(json, HasSubstr("{\"name\":\"" + layer.name + "\",\"type\":\"" +
                                    std::string(kind_name(layer.kind)) + "\""));
    }
    EXPECT_THAT(json, HasSubstr(R"("out_features":3,"bias":false,"tied_to":"x","frozen":true})"));
    EXPECT_THAT(json, HasSubstr(R"("function":"softplus")"));
    EXPECT_THAT(json, HasSubstr(R"("epsilon":0.001)"));
}

TEST(Json, CanonicalTextSurvivesParsing) {
    for (const ZooEntry& entry : zoo()) {
        ZooOptions options;
        options.outputs = 4;
        options.dimension = 16;
        options.input_shape = Shape{1, 28, 28};
        if (entry.name == "transformer" || entry.name == "lstm") options.input_shape = {10, 3};
        const ModelSpec spec = make_model(entry.name, options);
        const std::string text = to_json(spec);
        const ModelSpec again = parse_spec(text);
        EXPECT_EQ(to_json(again), text);
        EXPECT_EQ(digest(again), digest(spec));
        EXPECT_EQ(digest(spec).size(), 64u);
    }
}

TEST(Json, DefaultsMayBeLeftOut) {
    const ModelSpec spec = parse_spec(R"({"format":"ward-model-spec-1","name":"n","outputs":2,
        "input_shape":[3],"layers":[{"name":"o","type":"linear","out_features":2}]})");
    EXPECT_EQ(spec.task, Task::kClassification);
    EXPECT_TRUE(std::get<Linear>(spec.layers[0].kind).bias);
}

TEST(Json, RefusesWhatItDoesNotKnow) {
    const auto refused = [](const std::string& changes, const std::string& layer) {
        return message_of([&] {
            parse_spec(
                R"({"format":"ward-model-spec-1","name":"n","outputs":2,"input_shape":[3],)" +
                changes + R"("layers":[{"name":"o",)" + layer + "}]}");
        });
    };
    const std::string good = R"("type":"linear","out_features":2)";
    EXPECT_EQ(refused("", good), "");
    EXPECT_THAT(refused(R"("colour":1,)", good), HasSubstr("model spec: unknown key \"colour\""));
    EXPECT_THAT(refused(R"("task":"dream",)", good), HasSubstr("task must be one of class"));
    EXPECT_THAT(refused(R"("name":"m",)", good), HasSubstr("the key \"name\" stands twice"));
    EXPECT_THAT(refused(R"("token_input":0,)", good), HasSubstr("token_input must be true or f"));
    EXPECT_THAT(refused("", R"("type":"linear","outfeatures":2)"),
                HasSubstr("layer o: unknown key \"outfeatures\""));
    EXPECT_THAT(refused("", R"("type":"magic")"), HasSubstr("layer o: there is no layer type"));
    EXPECT_THAT(refused("", R"("type":"linear","out_features":2.5)"),
                HasSubstr("layer o: out_features must be a whole number, got a fraction"));
    EXPECT_THAT(refused("", R"("type":"linear","out_features":18446744073709551615)"),
                HasSubstr("out_features is too large"));
    EXPECT_THAT(refused("", R"("type":"residual","body":{},"shortcut":[])"),
                HasSubstr("layer o: body must be an array of layers"));
    EXPECT_THAT(refused("", R"("type":"residual","body":[{"name":"i","type":"gelu"}])"),
                HasSubstr("layer o.body.i: there is no layer type \"gelu\""));
    EXPECT_THAT(message_of([] { parse_spec("[1]"); }), HasSubstr("not a JSON object"));
    EXPECT_THAT(message_of([] { parse_spec("{\"a\":"); }), HasSubstr("not valid JSON"));
    EXPECT_THAT(message_of([] { parse_spec(std::string(100000, '[')); }), HasSubstr("nested"));
    EXPECT_THAT(message_of([] { parse_spec("{}"); }, ErrorCode::kUnsupported),
                HasSubstr("format must be \"ward-model-spec-1\""));
}

}  // namespace
}  // namespace ward::model
