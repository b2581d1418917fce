// JSON of a spec, both directions, from one table of each layer's members. docs/formats/model.md.
#include <array>
#include <limits>
#include <optional>
#include <set>
#include <type_traits>
#include <utility>

#include "ward/core/error.h"
#include "ward/model/internal/json.h"
#include "ward/model/internal/text.h"
#include "ward/model/internal/walk.h"

namespace ward::model {
namespace {

constexpr const char* kFormat = "ward-model-spec-1";
constexpr size_t kMaxSpecBytes = size_t{16} << 20;
constexpr int kMaxJsonDepth = 4 * (kMaxDepth + 2);
constexpr std::array<std::string_view, 8> kFunctions = {"relu", "tanh", "sigmoid",  "gelu",
                                                        "silu", "elu",  "softplus", "square"};
constexpr std::array<std::string_view, 2> kTasks = {"classification", "regression"};

// Calls member(key, value) for each member of a layer, in the order of the struct.
template <typename Layer, typename Member>
void for_each_member(Layer& layer, Member&& member) {
    using Kind = std::remove_const_t<Layer>;
    if constexpr (std::is_same_v<Kind, Linear>) {
        member("out_features", layer.out_features);
        member("bias", layer.bias);
        member("tied_to", layer.tied_to);
    } else if constexpr (std::is_same_v<Kind, Conv1d> || std::is_same_v<Kind, Conv2d>) {
        member("out_channels", layer.out_channels);
        member("kernel", layer.kernel);
        member("stride", layer.stride);
        member("padding", layer.padding);
        member("groups", layer.groups);
        member("bias", layer.bias);
    } else if constexpr (std::is_same_v<Kind, MaxPool2d> || std::is_same_v<Kind, AvgPool2d>) {
        member("kernel", layer.kernel);
        member("stride", layer.stride);
        member("padding", layer.padding);
    } else if constexpr (std::is_same_v<Kind, GroupNorm>) {
        member("groups", layer.groups);
        member("epsilon", layer.epsilon);
    } else if constexpr (std::is_same_v<Kind, LayerNorm> || std::is_same_v<Kind, RmsNorm>) {
        member("epsilon", layer.epsilon);
    } else if constexpr (std::is_same_v<Kind, Embedding>) {
        member("vocabulary", layer.vocabulary);
        member("dimension", layer.dimension);
    } else if constexpr (std::is_same_v<Kind, SelfAttention>) {
        member("heads", layer.heads);
        member("causal", layer.causal);
    } else if constexpr (std::is_same_v<Kind, Lstm> || std::is_same_v<Kind, Gru>) {
        member("hidden", layer.hidden);
    } else if constexpr (std::is_same_v<Kind, Activation>) {
        member("function", layer.function);
    } else if constexpr (std::is_same_v<Kind, Dropout>) {
        member("probability", layer.probability);
    } else if constexpr (std::is_same_v<Kind, Residual>) {
        member("body", layer.body);
        member("shortcut", layer.shortcut);
    }
}

// ---- writing

Json list_json(const std::vector<LayerSpec>& list);

Json layer_json(const LayerSpec& layer) {
    Json object = {{"name", layer.name}, {"type", kind_name(layer.kind)}};
    std::visit(
        [&](const auto& kind) {
            for_each_member(kind, [&](const char* key, const auto& value) {
                using Value = std::remove_cvref_t<decltype(value)>;
                if constexpr (std::is_same_v<Value, Activation::Function>) {
                    object[key] = kFunctions[static_cast<size_t>(value)];
                } else if constexpr (std::is_same_v<Value, std::vector<LayerSpec>>) {
                    object[key] = list_json(value);
                } else {
                    object[key] = value;
                }
            });
        },
        layer.kind);
    object["frozen"] = layer.frozen;
    return object;
}

Json list_json(const std::vector<LayerSpec>& list) {
    Json array = Json::array();
    for (const LayerSpec& layer : list) array.push_back(layer_json(layer));
    return array;
}

// ---- reading

// Takes the members of one JSON object, each once; what is left at the end is unknown.
class ObjectReader {
  public:
    ObjectReader(const JsonTree& object, std::string where) : where_(std::move(where)) {
        if (!object.is_object()) fail("must be a JSON object, got " + std::string(kind_of(object)));
        for (const auto& [key, value] : object.items()) members_[key] = &value;
    }

    void set_where(std::string where) { where_ = std::move(where); }
    const std::string& where() const { return where_; }

    // The member, or nothing where it is absent.
    const JsonTree* take(const std::string& key) {
        known_.push_back(key);
        const auto found = members_.find(key);
        if (found == members_.end()) return nullptr;
        const JsonTree* value = found->second;
        members_.erase(found);
        return value;
    }
    void read(const char* key, int64_t& value) {
        const JsonTree* json = take(key);
        if (json != nullptr) value = integer(key, *json);
    }
    void read(const char* key, double& value) {
        if (const JsonTree* json = take(key)) {
            if (!json->is_number()) wrong_kind(key, "a number", *json);
            value = json->get<double>();
        }
    }
    void read(const char* key, bool& value) {
        if (const JsonTree* json = take(key)) {
            if (!json->is_boolean()) wrong_kind(key, "true or false", *json);
            value = json->get<bool>();
        }
    }
    void read(const char* key, std::string& value) {
        if (const JsonTree* json = take(key)) {
            if (!json->is_string()) wrong_kind(key, "a string", *json);
            value = json->get<std::string>();
        }
    }
    void read(const char* key, Shape& value) {
        if (const JsonTree* json = take(key)) {
            if (!json->is_array()) wrong_kind(key, "an array of whole numbers", *json);
            if (json->size() > 8) fail(std::string(key) + " has more than 8 dimensions");
            value.clear();
            for (const JsonTree& item : *json) value.push_back(integer(key, item));
        }
    }
    template <typename Names, typename Enum>
    void read_enum(const char* key, const Names& names, Enum& value) {
        std::string text;
        if (members_.count(key) == 0) return (void)take(key);
        read(key, text);
        std::string known;
        for (size_t i = 0; i < names.size(); ++i) {
            if (names[i] == text) {
                value = static_cast<Enum>(i);
                return;
            }
            known += (i == 0 ? "" : ", ") + std::string(names[i]);
        }
        fail(std::string(key) + " must be one of " + known + ", got " + in_quotes(text));
    }
    void finish() const {
        if (members_.empty()) return;
        std::string known;
        for (const std::string& key : known_) known += (known.empty() ? "" : ", ") + key;
        throw Error(ErrorCode::kInvalid,
                    where_ + ": unknown key " + in_quotes(members_.begin()->first),
                    "known keys: " + known);
    }
    [[noreturn]] void fail(const std::string& message) const {
        throw Error(ErrorCode::kInvalid, where_ + ": " + message);
    }
    [[noreturn]] void wrong_kind(const std::string& key, const char* expected,
                                 const JsonTree& got) const {
        fail(key + " must be " + expected + ", got " + std::string(kind_of(got)));
    }

  private:
    static std::string_view kind_of(const JsonTree& value) {
        if (value.is_number_float()) return "a fraction";
        if (value.is_number()) return "a whole number";
        return value.type_name();
    }
    int64_t integer(const char* key, const JsonTree& json) const {
        if (!json.is_number_integer()) wrong_kind(key, "a whole number", json);
        if (json.is_number_unsigned() &&
            json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
            fail(std::string(key) + " is too large: " + json.dump());
        }
        return json.get<int64_t>();
    }

    std::string where_;
    std::map<std::string, const JsonTree*> members_;
    std::vector<std::string> known_;
};

// The kind of that name with its default members.
template <size_t kIndex = 0>
std::optional<LayerKind> default_kind(std::string_view name) {
    if constexpr (kIndex < std::variant_size_v<LayerKind>) {
        LayerKind kind(std::in_place_index<kIndex>);
        if (kind_name(kind) == name) return kind;
        return default_kind<kIndex + 1>(name);
    } else {
        return std::nullopt;
    }
}

class LayerReader {
  public:
    std::vector<LayerSpec> read_list(const JsonTree& array, const std::string& where,
                                     const std::string& prefix, int depth) {
        if (!array.is_array()) {
            throw Error(ErrorCode::kInvalid, where + " must be an array of layers");
        }
        if (depth > kMaxDepth) {
            throw Error(ErrorCode::kInvalid, where + ": residual blocks may be nested " +
                                                 std::to_string(kMaxDepth) + " deep");
        }
        std::vector<LayerSpec> list;
        for (const JsonTree& item : array) {
            if (++count_ > kMaxLayers) {
                throw Error(
                    ErrorCode::kInvalid,
                    "model spec: at most " + std::to_string(kMaxLayers) + " layers, got more");
            }
            list.push_back(
                read_layer(item, where + "[" + std::to_string(list.size()) + "]", prefix, depth));
        }
        return list;
    }

  private:
    LayerSpec read_layer(const JsonTree& item, const std::string& where, const std::string& prefix,
                         int depth) {
        ObjectReader reader(item, where);
        LayerSpec layer;
        std::string type;
        reader.read("name", layer.name);
        if (!is_layer_name(layer.name)) {
            reader.fail("layer names are 1 to 64 characters of a-z, 0-9 and _, got " +
                        in_quotes(layer.name));
        }
        const std::string path = prefix + layer.name;
        reader.set_where("layer " + path);
        reader.read("type", type);
        const std::optional<LayerKind> kind = default_kind(type);
        if (!kind) reader.fail("there is no layer type " + in_quotes(type));
        layer.kind = *kind;
        std::visit(
            [&](auto& members) {
                for_each_member(members, [&](const char* key, auto& value) {
                    read_member(reader, key, value, path, depth);
                });
            },
            layer.kind);
        reader.read("frozen", layer.frozen);
        reader.finish();
        return layer;
    }
    template <typename Value>
    void read_member(ObjectReader& reader, const char* key, Value& value, const std::string& path,
                     int depth) {
        if constexpr (std::is_same_v<Value, Activation::Function>) {
            reader.read_enum(key, kFunctions, value);
        } else if constexpr (std::is_same_v<Value, std::vector<LayerSpec>>) {
            if (const JsonTree* list = reader.take(key)) {
                value = read_list(*list, reader.where() + ": " + key, path + "." + key + ".",
                                  depth + 1);
            }
        } else {
            reader.read(key, value);
        }
    }

    int64_t count_ = 0;
};

}  // namespace

std::string to_json(const ModelSpec& spec) {
    Json object = {{"format", kFormat},
                   {"name", spec.name},
                   {"input_shape", spec.input_shape},
                   {"token_input", spec.token_input},
                   {"task", kTasks[static_cast<size_t>(spec.task)]},
                   {"outputs", spec.outputs},
                   {"layers", list_json(spec.layers)}};
    return json_text(object, "model spec");
}

ModelSpec parse_spec(std::string_view json) {
    if (json.size() > kMaxSpecBytes) {
        throw Error(ErrorCode::kInvalid, "model spec: at most " + std::to_string(kMaxSpecBytes) +
                                             " bytes of JSON, got " + std::to_string(json.size()));
    }
    const JsonTree object =
        parse_json_object(json, "model spec", kMaxJsonDepth, ErrorCode::kInvalid);
    ObjectReader reader(object, "model spec");
    std::string format;
    reader.read("format", format);
    if (format != kFormat) {
        throw Error(ErrorCode::kUnsupported, std::string("model spec: format must be \"") +
                                                 kFormat + "\", got " + in_quotes(format));
    }
    ModelSpec spec;
    reader.read("name", spec.name);
    reader.read("input_shape", spec.input_shape);
    reader.read("token_input", spec.token_input);
    reader.read_enum("task", kTasks, spec.task);
    reader.read("outputs", spec.outputs);
    if (const JsonTree* list = reader.take("layers")) {
        spec.layers = LayerReader().read_list(*list, "model spec: layers", "", 0);
    }
    reader.finish();
    validate(spec);
    return spec;
}

}  // namespace ward::model
