#include "ward/model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/model/safetensors.h"
#include "ward/model/zoo.h"

namespace ward::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string scratch(const std::string& name) {
    const auto folder = std::filesystem::path(::testing::TempDir()) / "ward_model_test";
    std::filesystem::create_directories(folder);
    return (folder / name).string();
}

std::string message_of(const std::function<void()>& action, ErrorCode code) {
    try {
        action();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.message();
        return error.message();
    }
    return "";
}

Bytes file_of(const std::string& header, size_t data_bytes) {
    Bytes file(8 + header.size() + data_bytes);
    const uint64_t length = header.size();
    std::memcpy(file.data(), &length, 8);
    std::memcpy(file.data() + 8, header.data(), header.size());
    return file;
}

// What the parser says about a header with so much data behind it.
std::string refusal(const std::string& header, size_t data_bytes,
                    ErrorCode code = ErrorCode::kCorrupt) {
    return message_of([&] { parse_safetensors(file_of(header, data_bytes), "m"); }, code);
}

Model small_model() {
    ZooOptions options;
    options.input_shape = {3};
    options.outputs = 2;
    options.hidden = {4};
    Model model;
    model.spec = make_model("mlp", options);
    float next = 0.5f;
    for (const ParameterSpec& parameter : parameters(model.spec)) {
        Weight& weight = model.weights[parameter.name];
        weight.shape = parameter.shape;
        for (int64_t i = 0; i < element_count(parameter.shape); ++i) {
            weight.values.push_back(next = -next * 1.125f);
        }
    }
    model.card = {"ward test",          "toy", std::string(64, 'a'),       100,
                  {"no", "y\xc3\xa9s"}, "",    R"({"epsilon_upper":1.5})", R"({"b":1,"a":[0.1]})"};
    return model;
}

TEST(Safetensors, ReadsTheExampleOfTheFormat) {
    const TensorTable table = parse_safetensors(
        file_of(
            R"({"__metadata__":{"a":"b"},"y":{"dtype":"F16","shape":[1,3],"data_offsets":[8,14]},)"
            R"("x":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
            R"("z":{"dtype":"F32","shape":[0,7],"data_offsets":[14,14]}}  )",
            14),
        "m");
    ASSERT_EQ(table.tensors.size(), 3u);
    EXPECT_EQ(table.tensors[0].name, "x");
    EXPECT_EQ(table.tensors[0].type, DType::kI64);
    EXPECT_TRUE(table.tensors[0].shape.empty());
    EXPECT_THAT(table.find("y")->shape, ElementsAre(1, 3));
    EXPECT_EQ(table.find("nothing"), nullptr);
    EXPECT_EQ(table.metadata.at("a"), "b");
}

TEST(Safetensors, RefusesHostileHeaders) {
    const auto tensor = [](const std::string& shape, const std::string& offsets) {
        return R"({"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
    };
    EXPECT_EQ(refusal(R"({"x":)" + tensor("[1]", "[0,4]") + "}", 4), "");
    EXPECT_THAT(refusal(R"({"x":)" + tensor("[2]", "[0,4]") + "}", 4), HasSubstr("does not fill"));
    EXPECT_THAT(refusal(R"({"x":)" + tensor("[1]", "[0,4]") + "}", 3),
                HasSubstr("not within the 3"));
    EXPECT_THAT(refusal(R"({"x":)" + tensor("[1]", "[0,4]") + "}", 9),
                HasSubstr("5 bytes behind the last tensor"));
    EXPECT_THAT(refusal(R"({"x":)" + tensor("[1]", "[4,8]") + "}", 8),
                HasSubstr("leaves a hole of 4 bytes"));
    EXPECT_THAT(refusal(R"({"x":)" + tensor("[1]", "[8,4]") + "}", 8), HasSubstr("not within"));
    EXPECT_THAT(
        refusal(R"({"x":)" + tensor("[2]", "[0,8]") + R"(,"y":)" + tensor("[2]", "[4,12]") + "}",
                12),
        HasSubstr("tensor \"y\": overlaps"));
    EXPECT_THAT(
        refusal(R"({"x":)" + tensor("[1]", "[0,4]") + R"(,"x":)" + tensor("[1]", "[0,4]") + "}", 4),
        HasSubstr("the key \"x\" stands twice"));
    // 2^62 * 2 * 4 = 0 in 64 bits: the product must not wrap around to a small size.
    EXPECT_THAT(refusal(R"({"x":)" + tensor("[4611686018427387904,2]", "[0,0]") + "}", 0),
                HasSubstr("does not fill"));
    EXPECT_THAT(refusal(R"({"x":)" + tensor("[-1]", "[0,4]") + "}", 4), HasSubstr("whole numbers"));
    EXPECT_THAT(refusal(R"({"x":)" + tensor("[1.0]", "[0,4]") + "}", 4),
                HasSubstr("whole numbers"));
    EXPECT_THAT(refusal(R"({"x":)" + tensor("[1]", "[0,-4]") + "}", 4), HasSubstr("data_offsets"));
    EXPECT_THAT(refusal(R"({"x":)" + tensor("[1]", "[0,4,8]") + "}", 4), HasSubstr("data_offsets"));
    EXPECT_THAT(refusal(R"({"x":{"dtype":"F32","shape":[1]}})", 4), HasSubstr("must hold dtype"));
    EXPECT_THAT(refusal(R"({"x":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4,
                        ErrorCode::kUnsupported),
                HasSubstr("unknown dtype \"F31\""));
    EXPECT_THAT(refusal(R"({"__metadata__":{"a":1}})", 0), HasSubstr("is not a string"));
    EXPECT_THAT(refusal(R"({"__metadata__":[]})", 0), HasSubstr("is not an object"));
    EXPECT_THAT(refusal(" {}", 0), HasSubstr("does not begin with {"));
    EXPECT_THAT(refusal("{}x", 0), HasSubstr("not valid JSON"));
    EXPECT_THAT(refusal(R"({"a":)" + std::string(5000, '['), 0), HasSubstr("nested"));
    EXPECT_THAT(refusal("{\"\xff\":1}", 0), HasSubstr("not valid JSON"));
}

TEST(Safetensors, LargeHostileHeadersTakeLinearTime) {
    // 50,000 empty tensors; anything quadratic takes very long here.
    std::string header = "{";
    for (int i = 0; i < 50'000; ++i) {
        header += (i == 0 ? "\"" : ",\"") + std::to_string(i) +
                  R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
    }
    EXPECT_EQ(parse_safetensors(file_of(header + "}", 0), "m").tensors.size(), 50'000u);
    EXPECT_THAT(refusal(header + R"(,"7":{}})", 0), HasSubstr("the key \"7\" stands twice"));
}

TEST(Safetensors, RefusesLyingLengths) {
    const auto parse = [](Bytes bytes) {
        return message_of([&] { parse_safetensors(bytes, "m"); }, ErrorCode::kCorrupt);
    };
    EXPECT_THAT(parse({}), HasSubstr("m: a safetensors file has at least 8 bytes, got 0"));
    EXPECT_THAT(parse({2, 0, 0, 0, 0, 0, 0, 0, '{'}), HasSubstr("claims 2 bytes, only 1 follow"));
    EXPECT_THAT(parse(Bytes(16, 0xff)), HasSubstr("claims 18446744073709551615 bytes, at most"));
    EXPECT_THAT(parse(Bytes(8, 0)), HasSubstr("does not begin with {"));
}

TEST(Safetensors, WidensHalfAndBrainFloatsExactly) {
    // IEEE 754-2008 binary16: 1.0, -2.0, largest 65504, smallest 2^-24, -0, infinity, 1/3 rounded.
    const std::vector<uint16_t> halves = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00, 0x3555};
    const std::vector<uint16_t> brains = {0x3f80, 0xc000, 0x0080, 0x7f80};
    const std::string path = scratch("narrow.safetensors");
    SafetensorsWriter writer(path, {},
                             {{"h", DType::kF16, {7}, 0, 0},
                              {"b", DType::kBf16, {4}, 0, 0},
                              {"d", DType::kF64, {1}, 0, 0}});
    writer.append(ByteView(reinterpret_cast<const uint8_t*>(halves.data()), 14));
    writer.append(ByteView(reinterpret_cast<const uint8_t*>(brains.data()), 8));
    writer.append(Bytes(8));
    writer.commit();
    const SafetensorsFile file(path);
    EXPECT_EQ(file.table().data_offset % 8, 0u);
    const std::vector<float> h = file.floats(*file.table().find("h"));
    EXPECT_THAT(h, ElementsAre(1.0f, -2.0f, 65504.0f, 0x1p-24f, -0.0f,
                               std::numeric_limits<float>::infinity(), 0x1.554p-2f));
    EXPECT_TRUE(std::signbit(h[4]));
    EXPECT_THAT(file.floats(*file.table().find("b")),
                ElementsAre(1.0f, -2.0f, 0x1p-126f, std::numeric_limits<float>::infinity()));
    EXPECT_THAT(message_of([&] { file.floats(*file.table().find("d")); }, ErrorCode::kUnsupported),
                HasSubstr("tensor \"d\" is F64"));
}

TEST(Safetensors, WriterRefusesWhatDoesNotFit) {
    const std::string path = scratch("refused.safetensors");
    const auto writes = [&](std::vector<TensorEntry> tensors,
                            const std::function<void(SafetensorsWriter&)>& use) {
        return message_of(
            [&] {
                SafetensorsWriter writer(path, {}, tensors);
                use(writer);
            },
            ErrorCode::kInvalid);
    };
    const TensorEntry x = {"x", DType::kF32, {2}, 0, 0};
    EXPECT_THAT(writes({x, x}, [](auto&) {}), HasSubstr("\"x\": the name is taken"));
    EXPECT_THAT(writes({{"x", DType::kF32, {int64_t{1} << 62}, 0, 0}}, [](auto&) {}),
                HasSubstr("too large"));
    EXPECT_THAT(writes({{"\xff", DType::kF32, {1}, 0, 0}}, [](auto&) {}), HasSubstr("UTF-8"));
    EXPECT_THAT(writes({x}, [](auto& w) { w.append(Bytes(7)); }),
                HasSubstr("needs 8 bytes, got 7"));
    EXPECT_THAT(writes({x}, [](auto& w) { w.commit(); }), HasSubstr("has not been written"));
    EXPECT_THAT(writes({}, [](auto& w) { w.append(Bytes(0)); }), HasSubstr("all tensors have"));
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ModelFile, KeepsWeightsSpecAndCard) {
    const Model model = small_model();
    const std::string path = scratch("a.safetensors");
    save_model(model, path);
    const Model again = load_model(path);
    EXPECT_EQ(to_json(again.spec), to_json(model.spec));
    ASSERT_EQ(again.weights.size(), 4u);
    for (const auto& [name, weight] : model.weights) {
        EXPECT_EQ(again.weights.at(name).shape, weight.shape);
        EXPECT_EQ(again.weights.at(name).values, weight.values);
    }
    EXPECT_EQ(again.card.class_names, model.card.class_names);
    EXPECT_EQ(again.card.data_digest, model.card.data_digest);
    EXPECT_EQ(again.card.training_examples, 100);
    EXPECT_EQ(again.card.privacy_json, model.card.privacy_json);
    EXPECT_EQ(again.card.training_json, model.card.training_json) << "texts are kept verbatim";
    EXPECT_EQ(again.card.preprocessing_json, "");
    EXPECT_EQ(digest(again), digest(model));
}

TEST(ModelFile, DigestCoversFunctionNotCard) {
    const Model model = small_model();
    Model other = model;
    other.card.data_name = "else";
    EXPECT_EQ(digest(other), digest(model));
    other.weights["output.bias"].values[0] += 1;
    EXPECT_NE(digest(other), digest(model));
    other = model;
    other.spec.name = "renamed";
    EXPECT_NE(digest(other), digest(model));
    // Computed apart with Python's hashlib from the description in docs/formats/model.md.
    EXPECT_EQ(digest(model), "9cfca57b995af13e080fa7ca9be0b96944b0f60c1a0dee03e3d743a17fdd617a");
}

TEST(ModelFile, RefusesModelsThatDoNotFitTheirSpec) {
    const auto refused = [](const std::function<void(Model&)>& change) {
        Model model = small_model();
        change(model);
        return message_of([&] { save_model(model, scratch("b.safetensors")); },
                          ErrorCode::kInvalid);
    };
    EXPECT_THAT(refused([](Model& m) { m.weights.erase("output.bias"); }),
                HasSubstr("the weight output.bias is missing"));
    EXPECT_THAT(refused([](Model& m) { m.weights["more"] = {}; }),
                HasSubstr("\"more\" belongs to no layer"));
    EXPECT_THAT(refused([](Model& m) { m.weights["output.bias"].shape = {3}; }),
                HasSubstr("has the shape {3}, expected {2}"));
    EXPECT_THAT(refused([](Model& m) { m.weights["output.bias"].values.push_back(1); }),
                HasSubstr("of shape {2} has 3 values"));
    EXPECT_THAT(refused([](Model& m) { m.card.privacy_json = "{"; }),
                HasSubstr("privacy statement: not valid JSON"));
    EXPECT_THAT(refused([](Model& m) { m.card.class_names = {"\xff"}; }), HasSubstr("UTF-8"));
    EXPECT_FALSE(std::filesystem::exists(scratch("b.safetensors")));
}

// A file with the given metadata and one F32 tensor of 2 values.
std::string file_with(const std::map<std::string, std::string>& metadata, const std::string& name) {
    const std::string path = scratch("c.safetensors");
    SafetensorsWriter writer(path, metadata, {{name, DType::kF32, {2}, 0, 0}});
    writer.append(std::vector<float>{1, 2});
    writer.commit();
    return path;
}

TEST(ModelFile, RefusesFilesThatAreNoModel) {
    const std::string spec = to_json(small_model().spec);
    const auto refused = [](const std::map<std::string, std::string>& metadata, ErrorCode code) {
        return message_of([&] { load_model(file_with(metadata, "output.bias")); }, code);
    };
    EXPECT_THAT(refused({}, ErrorCode::kUnsupported), HasSubstr("not a Ward model"));
    EXPECT_THAT(refused({{"format", "ward-model-9"}, {"ward_spec", spec}}, ErrorCode::kUnsupported),
                HasSubstr("format must be \"ward-model-1\", got \"ward-model-9\""));
    EXPECT_THAT(refused({{"format", "ward-model-1"}, {"ward_spec", "{"}}, ErrorCode::kCorrupt),
                HasSubstr("c.safetensors: model spec: not valid JSON"));
    EXPECT_THAT(refused({{"format", "ward-model-1"}, {"ward_spec", spec}}, ErrorCode::kCorrupt),
                HasSubstr("the weight hidden1.weight is missing"));
    EXPECT_THAT(refused({{"format", "ward-model-1"}, {"ward_spec", spec}, {"ward_card", "[]"}},
                        ErrorCode::kCorrupt),
                HasSubstr("model card: not a JSON object"));
    EXPECT_THAT(refused({{"format", "ward-model-1"},
                         {"ward_spec", spec},
                         {"ward_card", R"({"class_names":[1]})"}},
                        ErrorCode::kCorrupt),
                HasSubstr("class_names is of the wrong kind"));
    EXPECT_THAT(message_of([] { load_model("/nonexistent/m"); }, ErrorCode::kNotFound),
                HasSubstr("/nonexistent/m"));
}

TEST(ModelFile, EveryTruncationIsRefused) {
    const std::string path = scratch("d.safetensors");
    save_model(small_model(), path);
    const Bytes whole = read_file(path);
    for (size_t size = 0; size < whole.size(); ++size) {
        EXPECT_THROW(parse_safetensors(ByteView(whole.data(), size), "m"), Error) << size;
    }
}

TEST(ModelFile, SurvivesEveryBitFlipInTheHeader) {
    const std::string path = scratch("e.safetensors");
    save_model(small_model(), path);
    const Bytes whole = read_file(path);
    const size_t header_end = parse_safetensors(whole, "m").data_offset;
    for (size_t i = 0; i < header_end; ++i) {
        Bytes flipped = whole;
        flipped[i] ^= static_cast<uint8_t>(1u << (i % 8));
        try {
            const TensorTable table = parse_safetensors(flipped, "m");
            for (const TensorEntry& tensor : table.tensors) {
                ASSERT_LE(table.data_offset + tensor.end, flipped.size());
            }
        } catch (const Error&) {  // refused: as good
        }
    }
}

}  // namespace
}  // namespace ward::model
