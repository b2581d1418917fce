#include "ward/mpc/learn/shape.h"

#include <algorithm>
#include <bit>
#include <string>
#include <type_traits>

#include "ward/core/error.h"

namespace ward::mpc {
namespace {

using Kind = NetworkLayer::Kind;
using StepKind = NetworkStep::Kind;

[[noreturn]] void refuse(size_t layer, const std::string& what) {
    throw Error(ErrorCode::kUsage, "layer " + std::to_string(layer) + " of the network: " + what);
}

std::string shape_text(const ImageShape& image) {
    return std::to_string(image.channels) + " x " + std::to_string(image.height) + " x " +
           std::to_string(image.width);
}

void require_window(size_t layer, const NetworkLayer& it, const ImageShape& image) {
    const size_t side = std::min(image.height, image.width) + 2 * it.padding;
    if (it.kernel == 0 || it.kernel > side || it.stride == 0 || it.padding >= it.kernel) {
        refuse(layer, "a kernel of " + std::to_string(it.kernel) + ", stride " +
                          std::to_string(it.stride) + ", padding " + std::to_string(it.padding) +
                          " on an image of " + shape_text(image));
    }
    if (it.kind != Kind::kConvolution && it.padding != 0) refuse(layer, "a pool has no padding");
}

// The layers with every ReLU before a max pool behind it: both are monotone, so they commute, and
// there is less to compare.
std::vector<NetworkLayer> relu_behind_max_pool(std::vector<NetworkLayer> layers) {
    for (size_t i = 1; i < layers.size(); ++i) {
        if (layers[i].kind == Kind::kMaxPool && layers[i - 1].kind == Kind::kRelu) {
            std::swap(layers[i], layers[i - 1]);
        }
    }
    return layers;
}

bool joins_convolution(const NetworkLayer& convolution, const NetworkLayer& pool) {
    return convolution.kind == Kind::kConvolution && convolution.stride == 1 &&
           pool.kind == Kind::kAveragePool && pool.kernel > 1 && pool.padding == 0 &&
           std::has_single_bit(pool.kernel);
}

NetworkStep dense_step(size_t outputs, const ImageShape& image) {
    NetworkStep step;
    step.patches.image = {1, 1, image.size()};
    step.output = {1, 1, outputs};
    return step;
}

NetworkStep window_step(const NetworkLayer& layer, const ImageShape& image) {
    NetworkStep step;
    step.kind = layer.kind == Kind::kConvolution
                    ? StepKind::kProduct
                    : (layer.kind == Kind::kMaxPool ? StepKind::kMaxPool : StepKind::kAveragePool);
    step.patches = {image, layer.kernel, layer.stride, layer.padding, 1};
    if (layer.kind == Kind::kAveragePool) {
        step.patches.box = layer.kernel;
        step.patches.kernel = 1;
    }
    const size_t channels = layer.kind == Kind::kConvolution ? layer.outputs : image.channels;
    step.output = {step.patches.out_height(), step.patches.out_width(), channels};
    return step;
}

// Networks of images are read layer by layer.
class Planner {
  public:
    explicit Planner(const NetworkShape& shape)
        : image_(shape.image), layers_(relu_behind_max_pool(shape.layers)) {}

    std::vector<NetworkStep> plan() {
        if (image_.size() == 0) refuse(0, "an input of " + shape_text(image_));
        for (size_t i = 0; i < layers_.size(); ++i) i += add(i);
        if (layers_.back().kind != Kind::kDense) {
            refuse(layers_.size() - 1, "the last layer must be dense");
        }
        return std::move(steps_);
    }

  private:
    // Returns how many further layers the step has taken along.
    size_t add(size_t i) {
        const NetworkLayer& layer = layers_[i];
        if (layer.kind == Kind::kRelu) {
            push({.kind = StepKind::kRelu, .patches = {.image = image_}, .output = image_});
            return 0;
        }
        if (layer.kind == Kind::kGroupNorm) {
            if (layer.groups == 0 || image_.channels % layer.groups != 0) {
                refuse(i, "groups must divide the " + std::to_string(image_.channels) +
                              " channels, got " + std::to_string(layer.groups));
            }
            push({.kind = StepKind::kGroupNorm,
                  .patches = {.image = image_},
                  .output = image_,
                  .groups = layer.groups,
                  .epsilon = layer.epsilon});
            return 0;
        }
        if (layer.kind == Kind::kDense) {
            if (layer.outputs == 0) refuse(i, "a dense layer of 0 outputs");
            push(dense_step(layer.outputs, image_));
            return 0;
        }
        require_window(i, layer, image_);
        if (layer.kind == Kind::kConvolution && layer.outputs == 0) {
            refuse(i, "a convolution of 0 channels");
        }
        NetworkStep step = window_step(layer, image_);
        const bool pooled = i + 1 < layers_.size() && joins_convolution(layer, layers_[i + 1]);
        if (pooled) {
            const NetworkLayer& pool = layers_[i + 1];
            require_window(i + 1, pool, step.output);
            step.patches.box = pool.kernel;
            step.patches.stride = pool.stride;
            step.box_bits = 2 * std::countr_zero(pool.kernel);
            step.output = {step.patches.out_height(), step.patches.out_width(), layer.outputs};
        }
        push(step);
        return pooled ? 1 : 0;
    }

    void push(NetworkStep step) {
        if (step.has_weights()) step.parameters = parameters_++;
        image_ = step.output;
        steps_.push_back(step);
    }

    ImageShape image_;
    std::vector<NetworkLayer> layers_;
    std::vector<NetworkStep> steps_;
    size_t parameters_ = 0;
};

std::vector<NetworkStep> dense_steps(const std::vector<size_t>& widths) {
    if (widths.size() < 2 || *std::ranges::min_element(widths) == 0) {
        throw Error(ErrorCode::kUsage, "a network needs at least two widths, all > 0");
    }
    NetworkShape shape{.widths = {}, .image = {1, 1, widths.front()}, .layers = {}};
    for (size_t l = 1; l < widths.size(); ++l) {
        if (l > 1) shape.layers.push_back({.kind = Kind::kRelu});
        shape.layers.push_back({.kind = Kind::kDense, .outputs = widths[l]});
    }
    return Planner(shape).plan();
}

// ---- from a ModelSpec

[[noreturn]] void unsupported(const model::LayerSpec& layer, const std::string& why) {
    throw Error(ErrorCode::kUnsupported, "layer " + layer.name + ": " + why,
                "on shares there are linear, conv2d, max_pool2d, avg_pool2d, global_avg_pool2d, "
                "group_norm, relu and flatten");
}

size_t size_of(int64_t value) { return static_cast<size_t>(value); }

// The layers of one spec layer, none for what has nothing to compute.
std::vector<NetworkLayer> layers_of(const model::LayerSpec& layer, const model::Shape& input) {
    if (layer.frozen) unsupported(layer, "a frozen layer");
    const auto pool = [&](Kind kind, const auto& it) -> std::vector<NetworkLayer> {
        if (it.padding != 0) unsupported(layer, "a pool with padding");
        return {{kind, 0, size_of(it.kernel), size_of(it.stride), 0}};
    };
    return std::visit(
        [&](const auto& it) -> std::vector<NetworkLayer> {
            using Layer = std::decay_t<decltype(it)>;
            if constexpr (std::is_same_v<Layer, model::Linear>) {
                if (!it.bias || !it.tied_to.empty())
                    unsupported(layer, "linear without its own biases");
                if (input.size() != 1) unsupported(layer, "flatten before a linear layer");
                return {{Kind::kDense, size_of(it.out_features)}};
            } else if constexpr (std::is_same_v<Layer, model::Conv2d>) {
                if (!it.bias || it.groups != 1)
                    unsupported(layer, "conv2d with groups or without biases");
                return {{Kind::kConvolution, size_of(it.out_channels), size_of(it.kernel),
                         size_of(it.stride), size_of(it.padding)}};
            } else if constexpr (std::is_same_v<Layer, model::MaxPool2d>) {
                return pool(Kind::kMaxPool, it);
            } else if constexpr (std::is_same_v<Layer, model::AvgPool2d>) {
                return pool(Kind::kAveragePool, it);
            } else if constexpr (std::is_same_v<Layer, model::GlobalAvgPool2d>) {
                if (input[1] != input[2])
                    unsupported(layer, "a global pool of an image that is no square");
                return {{Kind::kAveragePool, 0, size_of(input[1]), 1, 0}};
            } else if constexpr (std::is_same_v<Layer, model::GroupNorm>) {
                return {{.kind = Kind::kGroupNorm,
                         .groups = size_of(it.groups),
                         .epsilon = it.epsilon}};
            } else if constexpr (std::is_same_v<Layer, model::Activation>) {
                if (it.function != model::Activation::Function::kRelu) {
                    unsupported(layer, "an activation other than relu");
                }
                return {{.kind = Kind::kRelu}};
            } else if constexpr (std::is_same_v<Layer, model::Flatten>) {
                return {};
            } else {
                unsupported(layer,
                            std::string(model::kind_name(layer.kind)) + " has no form on shares");
            }
        },
        layer.kind);
}

}  // namespace

std::string NetworkShape::text() const {
    std::string out;
    if (layers.empty()) {
        for (size_t width : widths) out += "|" + std::to_string(width);
        return out;
    }
    out = "|image " + shape_text(image);
    for (const NetworkLayer& layer : layers) {
        out += "|" + std::to_string(static_cast<int>(layer.kind)) + " " +
               std::to_string(layer.outputs) + " " + std::to_string(layer.kernel) + " " +
               std::to_string(layer.stride) + " " + std::to_string(layer.padding);
        if (layer.kind == Kind::kGroupNorm) {
            out += " " + std::to_string(layer.groups) + " " + std::to_string(layer.epsilon);
        }
    }
    return out;
}

std::vector<NetworkStep> steps_of(const NetworkShape& shape) {
    return shape.layers.empty() ? dense_steps(shape.widths) : Planner(shape).plan();
}

NetworkShape shape_of(const model::ModelSpec& spec) {
    model::validate(spec);
    if (spec.token_input) {
        throw Error(ErrorCode::kUnsupported, "a network of tokens has no form on shares");
    }
    NetworkShape out;
    const model::Shape& input = spec.input_shape;
    if (input.size() == 3) {
        out.image = {size_of(input[1]), size_of(input[2]), size_of(input[0])};
    } else {
        out.image = {1, 1, size_of(model::element_count(input))};
    }
    model::Shape at = input;
    for (const model::LayerSpec& layer : spec.layers) {
        for (const NetworkLayer& own : layers_of(layer, at)) out.layers.push_back(own);
        at = model::output_shape(layer, at);
    }
    return out;
}

}  // namespace ward::mpc
