// What a network is, without Torch: a list of layers with shapes. Written as JSON, validated,
// hashed; read by nn (Torch modules), he (encrypted inference) and mpc (inference on shares).
//
// Shapes never contain the batch dimension. Images are {channels, height, width}, sequences {time,
// features}, token sequences {time}, flat features {features}.
//
// Thread safety: value types. Threat: a spec may come from an untrusted file; `parse_spec` caps
// every number and depth before anything is allocated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ward::model {

using Shape = std::vector<int64_t>;

// Each layer kind is a struct; its members are the keys of the JSON object, with the same defaults.

// y = x W^T + b over the last dimension. Weight {out, in}. With `tied_to`, the weight is that of
// the named Embedding or Linear layer (no weight of its own): the full path of a layer that comes
// before, e.g. "embedding" or "block1.body.up".
struct Linear {
    int64_t out_features = 0;
    bool bias = true;
    std::string tied_to;
};

// Along the time of a sequence: {T, F} -> {T', out_channels}; the features are the channels, so it
// stands between the other sequence layers as it is (Torch's module wants {F, T}: transpose around
// it). Weight {out_channels, F / groups, kernel}; zero padding on both sides.
struct Conv1d {
    int64_t out_channels = 0, kernel = 0, stride = 1, padding = 0, groups = 1;
    bool bias = true;
};

// Square kernels. Weight {out_channels, in_channels / groups, kernel, kernel}. `padding` zeros on
// each side.
struct Conv2d {
    int64_t out_channels = 0, kernel = 0, stride = 1, padding = 0, groups = 1;
    bool bias = true;
};

struct MaxPool2d {
    int64_t kernel = 2, stride = 2, padding = 0;
};

struct AvgPool2d {
    int64_t kernel = 2, stride = 2, padding = 0;
};

// Mean over height and width of an image: {C, H, W} -> {C}.
struct GlobalAvgPool2d {};

// Mean over time of a sequence: {T, F} -> {F}.
struct MeanOverTime {};

// The last time step of a sequence: {T, F} -> {F}.
struct LastTimeStep {};

// Over the channels of an image {C, H, W} or flat features {C}; sequences are refused (their first
// dimension is time). Weight and bias {C}.
struct GroupNorm {
    int64_t groups = 1;
    double epsilon = 1e-5;
};

// Over the last dimension. Weight and bias {F}.
struct LayerNorm {
    double epsilon = 1e-5;
};

// Over the last dimension, no mean, no bias. Weight {F}.
struct RmsNorm {
    double epsilon = 1e-6;
};

// Tokens {T} -> {T, dimension}; the first layer of a spec with `token_input`, and nowhere else.
// Weight {vocabulary, dimension}, drawn from N(0, 1). `vocabulary` is declared, never read from
// private data.
struct Embedding {
    int64_t vocabulary = 0, dimension = 0;
};

// Adds a learned vector per position to {T, F}. Weight {T, F}, drawn from N(0, 0.02^2).
struct PositionalEmbedding {};

// Multi-head attention of a sequence {T, F} with itself: softmax(Q K^T / sqrt(F / heads)) V, then a
// linear map. Weights in_proj {3F, F} (rows: Q, K, V), out_proj {F, F}, with biases.
struct SelfAttention {
    int64_t heads = 1;
    bool causal = false;
};

// One direction, {T, F} -> {T, hidden}. Weights input {G*hidden, F}, recurrent {G*hidden, hidden},
// two biases {G*hidden}; gates in Torch's order (LSTM G = 4: i f g o; GRU G = 3: r z n).
struct Lstm {
    int64_t hidden = 0;
};
struct Gru {
    int64_t hidden = 0;
};

struct Activation {
    enum class Function { kRelu, kTanh, kSigmoid, kGelu, kSilu, kElu, kSoftplus, kSquare };
    Function function = Function::kRelu;
};

struct Dropout {
    double probability = 0.5;
};

struct Flatten {};

struct LayerSpec;

// y = body(x) + shortcut(x); an empty shortcut is the identity. Both branches end in the same
// shape.
struct Residual {
    std::vector<LayerSpec> body;
    std::vector<LayerSpec> shortcut;
};

using LayerKind =
    std::variant<Linear, Conv1d, Conv2d, MaxPool2d, AvgPool2d, GlobalAvgPool2d, MeanOverTime,
                 LastTimeStep, GroupNorm, LayerNorm, RmsNorm, Embedding, PositionalEmbedding,
                 SelfAttention, Lstm, Gru, Activation, Dropout, Flatten, Residual>;

struct LayerSpec {
    std::string name;  // unique in its list, [a-z0-9_]{1,64}; parameters are `name.weight`, in a
                       // residual block `outer.body.name.weight` or `outer.shortcut.name.weight`
    LayerKind kind;
    bool frozen = false;  // its parameters are not trained; on a Residual: nor those inside it

    // Written out because LayerKind holds vectors of this type.
    LayerSpec() = default;
    LayerSpec(std::string layer_name, LayerKind layer_kind, bool is_frozen = false);
};

// What the network's last output means.
enum class Task { kClassification, kRegression };

struct ModelSpec {
    std::string name;  // zoo name or the user's, [A-Za-z0-9._-]{1,64}
    Shape input_shape;
    bool token_input = false;  // inputs are integers (for an Embedding), not real numbers
    Task task = Task::kClassification;
    int64_t outputs = 0;  // classes, or regression targets; the last layer must give {outputs}
    std::vector<LayerSpec> layers;
};

// One trainable or frozen tensor, in the order in which it is initialised, stored and updated.
struct ParameterSpec {
    enum class Init { kKaimingUniform, kNormal, kOnes, kZeros };
    std::string name;  // "conv1.weight", "block1.body.conv2.bias"
    Shape shape;
    bool frozen = false;
    Init init = Init::kKaimingUniform;
    // For kKaimingUniform: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as Torch's Linear, Conv, LSTM and
    // GRU start, weights and biases alike. Attention projections start as Linear layers do.
    int64_t fan_in = 0;
    double deviation = 1.0;  // for kNormal: N(0, deviation^2)
};

// One layer where it stands in the network.
struct LayerSummary {
    std::string path;  // "conv1", "block1.body.conv2"
    std::string_view kind;
    Shape input, output;
    int64_t parameter_count = 0;  // its own, without those of nested layers
    bool frozen = false;
};

// The type name in JSON: "linear", "conv2d", ...
std::string_view kind_name(const LayerKind& kind);

// Shape after one layer of the spec's top level. Throws Error kInvalid naming the layer (its full
// path), what it got and what it needs.
Shape output_shape(const LayerSpec& layer, const Shape& input);

// Checks names, shapes, caps (at most 2^31 parameters, 4096 layers, depth 8) and that the last
// shape is {outputs}. Throws Error kInvalid; the message begins with the layer's path.
void validate(const ModelSpec& spec);

// All parameters of a valid spec.
std::vector<ParameterSpec> parameters(const ModelSpec& spec);
int64_t parameter_count(const ModelSpec& spec);

// All layers of a valid spec from input to output; a residual block comes before the layers in it.
std::vector<LayerSummary> layers(const ModelSpec& spec);

int64_t element_count(const Shape& shape);   // product of the dimensions; 1 for {}
std::string shape_text(const Shape& shape);  // "{16, 14, 14}"

// JSON, both directions. `to_json` is canonical (same spec, same text). `parse_spec` refuses
// unknown keys, unknown types, wrong kinds and numbers out of range with the layer's name, and
// validates.
std::string to_json(const ModelSpec& spec);
ModelSpec parse_spec(std::string_view json);

// SHA-256 of the canonical JSON.
std::string digest(const ModelSpec& spec);

}  // namespace ward::model
