#include "ward/model/model.h"

#include <cstring>
#include <set>
#include <utility>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/model/internal/json.h"
#include "ward/model/internal/text.h"
#include "ward/model/internal/walk.h"
#include "ward/model/safetensors.h"

namespace ward::model {
namespace {

// Keys of `__metadata__`, as in docs/formats/model.md.
constexpr const char* kFormatKey = "format";
constexpr const char* kFormat = "ward-model-1";
constexpr const char* kSpecKey = "ward_spec";
constexpr const char* kCardKey = "ward_card";
constexpr const char* kPreprocessingKey = "ward_preprocessing";
constexpr const char* kPrivacyKey = "ward_privacy";
constexpr const char* kTrainingKey = "ward_training";
constexpr int kMaxCardDepth = 64;

// ---- card

void check_object_text(const std::string& text, const std::string& what, ErrorCode code) {
    if (!text.empty()) parse_json_object(text, what, kMaxCardDepth, code);
}

void check_card_texts(const ModelCard& card, const std::string& name, ErrorCode code) {
    check_object_text(card.preprocessing_json, name + ": preprocessing", code);
    check_object_text(card.privacy_json, name + ": privacy statement", code);
    check_object_text(card.training_json, name + ": training record", code);
}

std::string card_json(const ModelCard& card) {
    return json_text(Json{{"created_by", card.created_by},
                          {"data_name", card.data_name},
                          {"data_digest", card.data_digest},
                          {"training_examples", card.training_examples},
                          {"class_names", card.class_names}},
                     "model card");
}

template <typename Value>
void read_card_member(const JsonTree& card, const char* key, const std::string& name,
                      Value& value) {
    const auto found = card.find(key);
    if (found == card.end()) return;
    try {
        value = found->get<Value>();
    } catch (const JsonTree::exception&) {
        throw Error(ErrorCode::kCorrupt, name + ": the card's " + key + " is of the wrong kind");
    }
}

using Metadata = std::map<std::string, std::string>;

std::string text_of(const Metadata& metadata, const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? "" : found->second;
}

ModelCard read_card(const Metadata& metadata, const std::string& name) {
    ModelCard card;
    const std::string text = text_of(metadata, kCardKey);
    if (!text.empty()) {
        const JsonTree json =
            parse_json_object(text, name + ": model card", kMaxCardDepth, ErrorCode::kCorrupt);
        read_card_member(json, "created_by", name, card.created_by);
        read_card_member(json, "data_name", name, card.data_name);
        read_card_member(json, "data_digest", name, card.data_digest);
        read_card_member(json, "training_examples", name, card.training_examples);
        read_card_member(json, "class_names", name, card.class_names);
    }
    card.preprocessing_json = text_of(metadata, kPreprocessingKey);
    card.privacy_json = text_of(metadata, kPrivacyKey);
    card.training_json = text_of(metadata, kTrainingKey);
    check_card_texts(card, name, ErrorCode::kCorrupt);
    return card;
}

Metadata metadata_of(const Model& model) {
    Metadata metadata = {
        {kFormatKey, kFormat}, {kSpecKey, to_json(model.spec)}, {kCardKey, card_json(model.card)}};
    const auto add = [&](const char* key, const std::string& text) {
        if (!text.empty()) metadata[key] = text;
    };
    add(kPreprocessingKey, model.card.preprocessing_json);
    add(kPrivacyKey, model.card.privacy_json);
    add(kTrainingKey, model.card.training_json);
    return metadata;
}

// ---- weights

// Checks that the names are exactly those of the parameters. `code` and `name` say whose fault it
// is: the caller's or the file's.
void check_names(const std::vector<ParameterSpec>& expected, const std::set<std::string>& got,
                 const std::string& name, ErrorCode code) {
    std::set<std::string> left = got;
    for (const ParameterSpec& parameter : expected) {
        if (left.erase(parameter.name) == 0) {
            throw Error(code, name + ": the weight " + parameter.name + " is missing");
        }
    }
    if (!left.empty()) {
        throw Error(code, name + ": the weight " + in_quotes(*left.begin()) +
                              " belongs to no layer of the spec");
    }
}

void check_shape(const ParameterSpec& parameter, const Shape& got, const std::string& name,
                 ErrorCode code) {
    if (got == parameter.shape) return;
    throw Error(code, name + ": the weight " + parameter.name + " has the shape " +
                          shape_text(got) + ", expected " + shape_text(parameter.shape));
}

// All parameters of the model's spec, after checking that the weights are theirs.
std::vector<ParameterSpec> checked_parameters(const Model& model) {
    validate(model.spec);
    std::vector<ParameterSpec> expected = parameters(model.spec);
    std::set<std::string> names;
    for (const auto& [name, weight] : model.weights) names.insert(name);
    check_names(expected, names, "model", ErrorCode::kInvalid);
    for (const ParameterSpec& parameter : expected) {
        const Weight& weight = model.weights.at(parameter.name);
        check_shape(parameter, weight.shape, "model", ErrorCode::kInvalid);
        if (weight.values.size() != static_cast<size_t>(element_count(parameter.shape))) {
            throw Error(ErrorCode::kInvalid, "model: the weight " + parameter.name + " of shape " +
                                                 shape_text(parameter.shape) + " has " +
                                                 std::to_string(weight.values.size()) + " values");
        }
    }
    return expected;
}

std::map<std::string, Weight> read_weights(const SafetensorsFile& file, const ModelSpec& spec,
                                           const std::string& path) {
    std::map<std::string, const TensorEntry*> entries;
    std::set<std::string> names;
    for (const TensorEntry& tensor : file.table().tensors) {
        entries[tensor.name] = &tensor;
        names.insert(tensor.name);
    }
    const std::vector<ParameterSpec> expected = parameters(spec);
    check_names(expected, names, path, ErrorCode::kCorrupt);
    std::map<std::string, Weight> weights;
    for (const ParameterSpec& parameter : expected) {
        const TensorEntry& tensor = *entries.at(parameter.name);
        check_shape(parameter, tensor.shape, path, ErrorCode::kCorrupt);
        weights[parameter.name] = {parameter.shape, file.floats(tensor)};
    }
    return weights;
}

ModelSpec read_spec(const Metadata& metadata, const std::string& path) {
    const std::string format = text_of(metadata, kFormatKey);
    const std::string text = text_of(metadata, kSpecKey);
    if (text.empty()) {
        throw Error(ErrorCode::kUnsupported,
                    path + ": a safetensors file, but not a Ward model (no ward_spec)",
                    "`ward inspect` lists the tensors of any safetensors file");
    }
    if (format != kFormat) {
        throw Error(ErrorCode::kUnsupported,
                    path + ": format must be \"" + kFormat + "\", got " + in_quotes(format),
                    "the file may come from a later version of Ward");
    }
    try {
        return parse_spec(text);
    } catch (const Error& error) {
        const ErrorCode code =
            error.code() == ErrorCode::kUnsupported ? ErrorCode::kUnsupported : ErrorCode::kCorrupt;
        throw Error(code, path + ": " + error.message(), error.hint());
    }
}

Model read_model(const SafetensorsFile& file, const std::string& name) {
    Model model;
    model.spec = read_spec(file.table().metadata, name);
    model.card = read_card(file.table().metadata, name);
    model.weights = read_weights(file, model.spec, name);
    return model;
}

void hash_text(Sha256& hash, std::string_view text) {
    hash.update(std::to_string(text.size()) + ":").update(text);
}

}  // namespace

void save_model(const Model& model, const std::string& path) {
    const std::vector<ParameterSpec> expected = checked_parameters(model);
    check_card_texts(model.card, "model card", ErrorCode::kInvalid);
    std::vector<TensorEntry> tensors;
    tensors.reserve(expected.size());
    for (const ParameterSpec& parameter : expected) {
        tensors.push_back({parameter.name, DType::kF32, parameter.shape, 0, 0});
    }
    SafetensorsWriter writer(path, metadata_of(model), std::move(tensors));
    for (const ParameterSpec& parameter : expected) {
        writer.append(model.weights.at(parameter.name).values);
    }
    writer.commit();
}

Model load_model(const std::string& path) { return read_model(SafetensorsFile(path), path); }

Model load_model(ByteView file, const std::string& name) {
    return read_model(SafetensorsFile(file, name), name);
}

std::string digest(const Model& model) {
    Sha256 hash;
    hash_text(hash, "ward-model-digest-1");
    hash_text(hash, to_json(model.spec));
    for (const ParameterSpec& parameter : checked_parameters(model)) {
        const std::vector<float>& values = model.weights.at(parameter.name).values;
        hash_text(hash, parameter.name);
        hash_text(hash, shape_text(parameter.shape));
        hash.update(ByteView(reinterpret_cast<const uint8_t*>(values.data()), 4 * values.size()));
    }
    return hash.hex();
}

}  // namespace ward::model
