#include "ward/model/spec.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <utility>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/model/internal/text.h"
#include "ward/model/internal/walk.h"

namespace ward::model {
namespace {

[[noreturn]] void fail_spec(const std::string& message, const std::string& hint = {}) {
    throw Error(ErrorCode::kInvalid, "model spec: " + message, hint);
}

bool is_spec_name(const std::string& name) {
    return !name.empty() && name.size() <= kMaxNameBytes &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' ||
                      c == '-';
           });
}

// Names, depth and number of layers: what must hold before anything walks through the spec.
class StructureCheck {
  public:
    void check(const std::vector<LayerSpec>& list, const std::string& prefix, int depth) {
        if (depth > kMaxDepth) {
            fail_spec("residual blocks may be nested " + std::to_string(kMaxDepth) +
                      " deep, got more at " + prefix);
        }
        std::set<std::string> names;
        for (const LayerSpec& layer : list) {
            check_name(layer.name, prefix);
            if (!names.insert(layer.name).second) {
                fail_layer(prefix + layer.name, "the name is used twice",
                           "give each layer of a list its own name");
            }
            if (++count_ > kMaxLayers) {
                fail_spec("at most " + std::to_string(kMaxLayers) + " layers, got more");
            }
            if (const auto* block = std::get_if<Residual>(&layer.kind)) {
                check(block->body, prefix + layer.name + ".body.", depth + 1);
                check(block->shortcut, prefix + layer.name + ".shortcut.", depth + 1);
            }
        }
    }

  private:
    static void check_name(const std::string& name, const std::string& prefix) {
        if (is_layer_name(name)) return;
        fail_spec("layer names are 1 to 64 characters of a-z, 0-9 and _, got " + in_quotes(name) +
                  (prefix.empty() ? "" : " in " + prefix));
    }

    int64_t count_ = 0;
};

void walk_list(const std::vector<LayerSpec>& list, const std::string& prefix, Shape& shape,
               bool frozen, const std::function<void(const LayerVisit&)>& visit) {
    for (const LayerSpec& layer : list) {
        const std::string path = prefix + layer.name;
        const Shape output = infer_shape(layer, path, shape);
        const bool layer_frozen = frozen || layer.frozen;
        visit({layer, path, shape, output, layer_frozen});
        if (const auto* block = std::get_if<Residual>(&layer.kind)) {
            Shape body = shape;
            walk_list(block->body, path + ".body.", body, layer_frozen, visit);
            Shape shortcut = shape;
            walk_list(block->shortcut, path + ".shortcut.", shortcut, layer_frozen, visit);
        }
        shape = output;
    }
}

void check_input(const ModelSpec& spec) {
    if (spec.input_shape.empty() || spec.input_shape.size() > 3) {
        fail_spec(
            "input_shape must be {features}, {time}, {time, features} or {channels, height, "
            "width}, got " +
            shape_text(spec.input_shape));
    }
    const bool embeds =
        !spec.layers.empty() && std::holds_alternative<Embedding>(spec.layers.front().kind);
    if (spec.token_input && !embeds) {
        fail_spec("token input needs an embedding as its first layer",
                  "set token_input to false or begin with an embedding");
    }
}

// An embedding anywhere else would read real numbers as tokens.
void check_embedding(const ModelSpec& spec, const LayerVisit& visit) {
    if (!std::holds_alternative<Embedding>(visit.layer.kind)) return;
    if (spec.token_input && &visit.layer == &spec.layers.front()) return;
    fail_layer(visit.path, "an embedding must be the first layer of a spec with token_input",
               "set token_input to true");
}

// The weights that a tied layer may name: those of the layers so far.
class TieCheck {
  public:
    void check(const LayerVisit& visit) {
        if (const auto* embedding = std::get_if<Embedding>(&visit.layer.kind)) {
            weights_[visit.path] = {embedding->vocabulary, embedding->dimension};
        }
        const auto* linear = std::get_if<Linear>(&visit.layer.kind);
        if (linear == nullptr) return;
        const Shape weight = {linear->out_features, visit.input.back()};
        if (linear->tied_to.empty()) {
            weights_[visit.path] = weight;
            return;
        }
        const auto other = weights_.find(linear->tied_to);
        if (other == weights_.end()) {
            fail_layer(visit.path, "tied_to names " + in_quotes(linear->tied_to) +
                                       ", which is not an embedding or untied linear layer before "
                                       "it");
        }
        if (other->second != weight) {
            fail_layer(visit.path, "needs a weight of shape " + shape_text(weight) +
                                       ", got that of " + other->first + " with " +
                                       shape_text(other->second));
        }
    }

  private:
    std::map<std::string, Shape> weights_;
};

void check_output(const ModelSpec& spec, const Shape& last) {
    if (spec.outputs < 1) {
        fail_spec("outputs must be at least 1, got " + std::to_string(spec.outputs));
    }
    if (spec.task == Task::kClassification && spec.outputs < 2) {
        fail_spec("a classification needs at least 2 outputs, one per class, got 1");
    }
    if (last == Shape{spec.outputs}) return;
    const std::string expected = "the last layer must give {" + std::to_string(spec.outputs) + "}";
    if (spec.layers.empty()) fail_spec("there are no layers; " + expected);
    fail_layer(spec.layers.back().name, "got " + shape_text(last) + "; " + expected);
}

}  // namespace

bool is_layer_name(const std::string& name) {
    return !name.empty() && name.size() <= kMaxNameBytes &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
}

LayerSpec::LayerSpec(std::string layer_name, LayerKind layer_kind, bool is_frozen)
    : name(std::move(layer_name)), kind(std::move(layer_kind)), frozen(is_frozen) {}

std::string_view kind_name(const LayerKind& kind) {
    static constexpr std::array<std::string_view, std::variant_size_v<LayerKind>> kNames = {
        "linear",
        "conv1d",
        "conv2d",
        "max_pool2d",
        "avg_pool2d",
        "global_avg_pool2d",
        "mean_over_time",
        "last_time_step",
        "group_norm",
        "layer_norm",
        "rms_norm",
        "embedding",
        "positional_embedding",
        "self_attention",
        "lstm",
        "gru",
        "activation",
        "dropout",
        "flatten",
        "residual"};
    return kNames[kind.index()];
}

void walk(const ModelSpec& spec, const std::function<void(const LayerVisit&)>& visit) {
    StructureCheck().check(spec.layers, "", 0);
    Shape shape = spec.input_shape;
    walk_list(spec.layers, "", shape, false, visit);
}

void validate(const ModelSpec& spec) {
    if (!is_spec_name(spec.name)) {
        fail_spec("its name must be 1 to 64 characters of a-z, A-Z, 0-9, '.', '_' and '-', got " +
                  in_quotes(spec.name));
    }
    check_input(spec);
    TieCheck ties;
    int64_t total = 0;
    Shape last = spec.input_shape;
    walk(spec, [&](const LayerVisit& visit) {
        check_embedding(spec, visit);
        ties.check(visit);
        for (const ParameterSpec& parameter : layer_parameters(visit)) {
            total += element_count(parameter.shape);
        }
        if (total > kMaxParameters) {
            fail_layer(visit.path, "a model may have at most " + std::to_string(kMaxParameters) +
                                       " parameters, got more up to here");
        }
    });
    for (const LayerSpec& layer : spec.layers) last = output_shape(layer, last);
    check_output(spec, last);
}

std::vector<ParameterSpec> parameters(const ModelSpec& spec) {
    std::vector<ParameterSpec> all;
    walk(spec, [&](const LayerVisit& visit) {
        for (ParameterSpec& parameter : layer_parameters(visit))
            all.push_back(std::move(parameter));
    });
    return all;
}

int64_t parameter_count(const ModelSpec& spec) {
    int64_t total = 0;
    for (const ParameterSpec& parameter : parameters(spec)) total += element_count(parameter.shape);
    return total;
}

std::vector<LayerSummary> layers(const ModelSpec& spec) {
    std::vector<LayerSummary> all;
    walk(spec, [&](const LayerVisit& visit) {
        int64_t own = 0;
        for (const ParameterSpec& parameter : layer_parameters(visit)) {
            own += element_count(parameter.shape);
        }
        all.push_back({visit.path, kind_name(visit.layer.kind), visit.input, visit.output, own,
                       visit.frozen});
    });
    return all;
}

std::string digest(const ModelSpec& spec) { return sha256_hex(to_json(spec)); }

}  // namespace ward::model
