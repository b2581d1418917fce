#include "ward/mpc/learn/export_model.h"

#include <algorithm>

#include "ward/core/error.h"
#include "ward/model/zoo.h"
#include "ward/mpc/fixed_point.h"

namespace ward::mpc {
namespace {

// Row of a product's weights for input i in the order of module model: patches are (row, column,
// channel) here and (channel, row, column) there.
size_t row_of(const ImageShape& patch, size_t i) { return channels_last_place(patch, i); }

// Outputs x inputs, as Linear and Conv2d have it; a row of zeros before a single output.
model::Weight weight_of(const RingMatrix& w, const ImageShape& patch, bool zero_row) {
    const size_t outputs = w.cols + (zero_row ? 1 : 0);
    model::Weight out{{static_cast<int64_t>(outputs), static_cast<int64_t>(w.rows)},
                      std::vector<float>(outputs * w.rows)};
    const size_t skip = zero_row ? w.rows : 0;
    for (size_t i = 0; i < w.rows; ++i) {
        const Ring* row = &w.values[row_of(patch, i) * w.cols];
        for (size_t j = 0; j < w.cols; ++j) {
            out.values[skip + j * w.rows + i] = static_cast<float>(decode(row[j]));
        }
    }
    return out;
}

model::Weight bias_of(const RingMatrix& b, bool zero_row) {
    model::Weight out{{static_cast<int64_t>(b.size() + (zero_row ? 1 : 0))}, {}};
    if (zero_row) out.values.push_back(0);
    for (Ring value : b.values) out.values.push_back(static_cast<float>(decode(value)));
    return out;
}

model::Shape parameter_shape(const model::ModelSpec& spec, const std::string& name) {
    for (const model::ParameterSpec& parameter : model::parameters(spec)) {
        if (parameter.name == name) return parameter.shape;
    }
    throw Error(ErrorCode::kInternal, "the exported spec has no parameter " + name);
}

model::ModelSpec zoo_spec(const NetworkShape& shape, const data::Dataset& train_set) {
    model::ZooOptions options;
    options.input_shape = train_set.example_shape;
    options.outputs = static_cast<int64_t>(std::max<size_t>(shape.outputs(), 2));
    for (size_t l = 1; l + 1 < shape.widths.size(); ++l) {
        options.hidden.push_back(static_cast<int64_t>(shape.widths[l]));
    }
    return model::make_model(shape.widths.size() == 2 ? "logistic" : "mlp", options);
}

model::LayerKind layer_kind(const NetworkLayer& layer, int64_t outputs) {
    const auto number = [](size_t value) { return static_cast<int64_t>(value); };
    switch (layer.kind) {
        case NetworkLayer::Kind::kDense:
            return model::Linear{outputs, true, ""};
        case NetworkLayer::Kind::kConvolution:
            return model::Conv2d{outputs, number(layer.kernel), number(layer.stride),
                                 number(layer.padding)};
        case NetworkLayer::Kind::kAveragePool:
            return model::AvgPool2d{number(layer.kernel), number(layer.stride), 0};
        case NetworkLayer::Kind::kMaxPool:
            return model::MaxPool2d{number(layer.kernel), number(layer.stride), 0};
        case NetworkLayer::Kind::kGroupNorm:
            return model::GroupNorm{number(layer.groups), layer.epsilon};
        case NetworkLayer::Kind::kRelu:
            break;
    }
    return model::Activation{};
}

const char* layer_name(NetworkLayer::Kind kind) {
    switch (kind) {
        case NetworkLayer::Kind::kDense:
            return "hidden";
        case NetworkLayer::Kind::kConvolution:
            return "conv";
        case NetworkLayer::Kind::kAveragePool:
        case NetworkLayer::Kind::kMaxPool:
            return "pool";
        case NetworkLayer::Kind::kGroupNorm:
            return "norm";
        case NetworkLayer::Kind::kRelu:
            break;
    }
    return "act";
}

model::ModelSpec layered_spec(const NetworkShape& shape, const data::Dataset& train_set) {
    model::ModelSpec spec;
    spec.name = "network";
    spec.input_shape = train_set.example_shape;
    spec.outputs = static_cast<int64_t>(std::max<size_t>(shape.outputs(), 2));
    bool flat = spec.input_shape.size() == 1;
    for (size_t l = 0; l < shape.layers.size(); ++l) {
        const NetworkLayer& layer = shape.layers[l];
        if (layer.kind == NetworkLayer::Kind::kDense && !flat) {
            spec.layers.emplace_back("flatten", model::Flatten{});
            flat = true;
        }
        const bool last = l + 1 == shape.layers.size();
        const int64_t outputs = last ? spec.outputs : static_cast<int64_t>(layer.outputs);
        const std::string name = layer_name(layer.kind) + std::to_string(l + 1);
        spec.layers.emplace_back(last ? "output" : name, layer_kind(layer, outputs));
    }
    model::validate(spec);
    return spec;
}

// The shape of an image whose values are the rows of each product's weights.
std::vector<ImageShape> patches_of(const NetworkShape& shape) {
    std::vector<ImageShape> out;
    ImageShape image = shape.layers.empty() ? ImageShape{1, 1, 1} : shape.image;
    for (const NetworkStep& step : steps_of(shape)) {
        if (step.kind == NetworkStep::Kind::kGroupNorm) out.push_back({1, 1, 1});
        if (step.kind == NetworkStep::Kind::kProduct) {
            const size_t kernel = step.patches.kernel;
            const bool rows = step.is_dense() && kernel == 1;
            out.push_back(rows ? (shape.layers.empty() ? step.patches.image : image)
                               : ImageShape{kernel, kernel, step.patches.image.channels});
        }
        image = step.output;
    }
    return out;
}

// Parameter names without ".weight", in the order of the products.
std::vector<std::string> parameter_layers(const model::ModelSpec& spec) {
    std::vector<std::string> out;
    for (const model::LayerSpec& layer : spec.layers) {
        const bool has = std::holds_alternative<model::Linear>(layer.kind) ||
                         std::holds_alternative<model::Conv2d>(layer.kind) ||
                         std::holds_alternative<model::GroupNorm>(layer.kind);
        if (has) out.push_back(layer.name);
    }
    return out;
}

}  // namespace

model::Model to_model(const NetworkWeights& network, const data::Dataset& train_set) {
    const NetworkShape& shape = network.shape;
    const bool logistic = shape.outputs() == 1;
    model::Model out;
    out.spec = shape.layers.empty() ? zoo_spec(shape, train_set) : layered_spec(shape, train_set);
    const std::vector<ImageShape> patches = patches_of(shape);
    const std::vector<std::string> names = parameter_layers(out.spec);
    for (size_t l = 0; l < names.size(); ++l) {
        const bool last = l + 1 == names.size();
        model::Weight weight = weight_of(network.weights[l], patches[l], last && logistic);
        weight.shape = parameter_shape(out.spec, names[l] + ".weight");
        out.weights[names[l] + ".weight"] = std::move(weight);
        out.weights[names[l] + ".bias"] = bias_of(network.biases[l], last && logistic);
    }
    out.card.created_by = "ward mpc";
    out.card.data_name = train_set.name;
    out.card.training_examples = train_set.size();
    out.card.class_names = train_set.class_names;
    out.card.preprocessing_json = train_set.preprocessing_json;
    return out;
}

}  // namespace ward::mpc
