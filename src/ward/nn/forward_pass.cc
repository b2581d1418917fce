#include "ward/nn/internal/forward_pass.h"

#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "ward/core/error.h"
#include "ward/nn/dropout.h"
#include "ward/nn/internal/max_pool.h"
#include "ward/nn/internal/product.h"
#include "ward/nn/internal/recorded_norms.h"

namespace ward::nn {

using Form = ParameterUse::Form;

at::Tensor ForwardPass::run(const std::vector<LayerNode>& layers, at::Tensor x) const {
    for (const LayerNode& node : layers) x = run(node, x);
    return x;
}

at::Tensor ForwardPass::run(const LayerNode& node, const at::Tensor& x) const {
    return std::visit([&](const auto& layer) { return apply(layer, node, x); }, node.spec->kind);
}

at::Tensor ForwardPass::value(const LayerNode& node, size_t place) const {
    const at::Tensor& tensor = network.parameters_[node.parameters[place]].value;
    return tape != nullptr ? tensor.detach() : tensor;
}

int ForwardPass::trainable_index(const LayerNode& node, size_t place) const {
    if (place >= node.parameters.size()) return -1;
    const int index = node.parameters[place];
    return network.parameters_[index].trainable ? index : -1;
}

int ForwardPass::weight_of(const std::string& path) const {
    for (size_t i = 0; i < network.parameters_.size(); ++i) {
        if (network.parameters_[i].name == path + ".weight") return static_cast<int>(i);
    }
    throw Error(ErrorCode::kInternal, "no weight named " + path + ".weight");
}

bool ForwardPass::rounds_to_bf16(const at::Tensor& weight) const {
    return network.precision_ == Precision::kBf16 && weight.numel() >= kLeastBf16Weights;
}

// Matrix product over the last dimension, rounded as the network's precision asks, and recorded.
at::Tensor ForwardPass::linear(const at::Tensor& x, int weight, int bias) const {
    const auto& parameters = network.parameters_;
    const auto place = [&](int index) {
        at::Tensor t = index < 0 ? at::Tensor() : parameters[index].value;
        return tape != nullptr && t.defined() ? t.detach() : t;
    };
    at::Tensor input = x.to(at::kFloat), w = place(weight), b = place(bias);
    if (rounds_to_bf16(w)) {
        input = x.to(at::kBFloat16);
        w = w.to(at::kBFloat16);
        if (b.defined()) b = b.to(at::kBFloat16);
    }
    const at::Tensor output =
        input.scalar_type() == at::kFloat ? linear_product(input, w, b) : at::linear(input, w, b);
    if (tape == nullptr) return output;
    ParameterUse use;
    use.form = Form::kLinear;
    use.weight = parameters[weight].trainable ? weight : -1;
    use.bias = bias >= 0 && parameters[bias].trainable ? bias : -1;
    use.input = input;
    return tape->record(std::move(use), output);
}

at::Tensor ForwardPass::apply(const model::Linear& layer, const LayerNode& node,
                              const at::Tensor& x) const {
    if (layer.tied_to.empty())
        return linear(x, node.parameters[0], layer.bias ? node.parameters[1] : -1);
    return linear(x, weight_of(layer.tied_to), layer.bias ? node.parameters[0] : -1);
}

at::Tensor ForwardPass::convolution(const LayerNode& node, const at::Tensor& x,
                                    const ConvGeometry& geometry, bool has_bias) const {
    at::Tensor input = x.to(at::kFloat), w = value(node, 0),
               b = has_bias ? value(node, 1) : at::Tensor();
    if (w.dim() == 3) w = w.unsqueeze(2);
    if (rounds_to_bf16(w)) {
        input = x.to(at::kBFloat16);
        w = w.to(at::kBFloat16);
        if (b.defined()) b = b.to(at::kBFloat16);
    }
    const at::Tensor output =
        at::conv2d(input, w, b, {geometry.stride_height, geometry.stride_width},
                   {geometry.padding_height, geometry.padding_width}, {1, 1}, geometry.groups);
    if (tape == nullptr) return output;
    ParameterUse use;
    use.form = Form::kConv;
    use.weight = trainable_index(node, 0);
    use.bias = has_bias ? trainable_index(node, 1) : -1;
    use.input = input;
    use.geometry = geometry;
    return tape->record(std::move(use), output);
}

at::Tensor ForwardPass::apply(const model::Conv2d& layer, const LayerNode& node,
                              const at::Tensor& x) const {
    const ConvGeometry geometry{layer.kernel,  layer.kernel,  layer.stride, layer.stride,
                                layer.padding, layer.padding, layer.groups};
    return convolution(node, x, geometry, layer.bias);
}

at::Tensor ForwardPass::apply(const model::Conv1d& layer, const LayerNode& node,
                              const at::Tensor& x) const {
    const ConvGeometry geometry{1, layer.kernel, 1, layer.stride, 0, layer.padding, layer.groups};
    // Sequences are {time, features}; a convolution wants {features, 1, time}.
    return convolution(node, x.transpose(1, 2).unsqueeze(2), geometry, layer.bias)
        .squeeze(2)
        .transpose(1, 2);
}

at::Tensor ForwardPass::apply(const model::MaxPool2d& layer, const LayerNode&,
                              const at::Tensor& x) const {
    return max_pool2d(x, layer.kernel, layer.stride, layer.padding);
}

at::Tensor ForwardPass::apply(const model::AvgPool2d& layer, const LayerNode&,
                              const at::Tensor& x) const {
    return at::avg_pool2d(x, layer.kernel, layer.stride, layer.padding);
}

at::Tensor ForwardPass::apply(const model::GlobalAvgPool2d&, const LayerNode&,
                              const at::Tensor& x) const {
    return x.to(at::kFloat).mean({2, 3});
}

at::Tensor ForwardPass::apply(const model::MeanOverTime&, const LayerNode&,
                              const at::Tensor& x) const {
    return x.to(at::kFloat).mean(1);
}

at::Tensor ForwardPass::apply(const model::LastTimeStep&, const LayerNode&,
                              const at::Tensor& x) const {
    return x.select(1, x.size(1) - 1);
}

at::Tensor ForwardPass::apply(const model::GroupNorm& layer, const LayerNode& node,
                              const at::Tensor& x) const {
    const at::Tensor input = x.to(at::kFloat);
    if (tape == nullptr)
        return at::group_norm(input, layer.groups, value(node, 0), value(node, 1), layer.epsilon);
    const NormParameters parameters{value(node, 0), value(node, 1), trainable_index(node, 0),
                                    trainable_index(node, 1)};
    return recorded_group_norm(input, parameters, layer.groups, layer.epsilon, *tape);
}

at::Tensor ForwardPass::apply(const model::LayerNorm& layer, const LayerNode& node,
                              const at::Tensor& x) const {
    const at::Tensor input = x.to(at::kFloat), scale = value(node, 0), shift = value(node, 1);
    if (tape == nullptr) return at::layer_norm(input, scale.sizes(), scale, shift, layer.epsilon);
    return recorded_layer_norm(input,
                               {scale, shift, trainable_index(node, 0), trainable_index(node, 1)},
                               layer.epsilon, *tape);
}

at::Tensor ForwardPass::apply(const model::RmsNorm& layer, const LayerNode& node,
                              const at::Tensor& x) const {
    const at::Tensor input = x.to(at::kFloat);
    const at::Tensor normalised = input * at::rsqrt(input.pow(2).mean(-1, true) + layer.epsilon);
    if (tape == nullptr) return normalised * value(node, 0);
    return recorded_scale(normalised, {value(node, 0), {}, trainable_index(node, 0), -1}, *tape);
}

at::Tensor ForwardPass::apply(const model::Embedding&, const LayerNode& node,
                              const at::Tensor& x) const {
    const at::Tensor tokens = x.to(at::kLong);
    const at::Tensor output = at::embedding(value(node, 0), tokens);
    if (tape == nullptr) return output;
    ParameterUse use;
    use.form = Form::kEmbedding;
    use.weight = trainable_index(node, 0);
    use.input = tokens;
    return tape->record(std::move(use), output);
}

at::Tensor ForwardPass::apply(const model::PositionalEmbedding&, const LayerNode& node,
                              const at::Tensor& x) const {
    const at::Tensor output = x.to(at::kFloat) + value(node, 0);
    if (tape == nullptr) return output;
    ParameterUse use;
    use.form = Form::kDirect;
    use.weight = trainable_index(node, 0);
    return tape->record(std::move(use), output);
}

at::Tensor ForwardPass::apply(const model::SelfAttention& layer, const LayerNode& node,
                              const at::Tensor& x) const {
    const int64_t batch = x.size(0), time = x.size(1), features = x.size(2),
                  width = features / layer.heads;
    const at::Tensor projected = linear(x, node.parameters[0], node.parameters[1]);
    // {3, batch * heads, time, width}
    const at::Tensor heads = projected.view({batch, time, 3, layer.heads, width})
                                 .permute({2, 0, 3, 1, 4})
                                 .contiguous()
                                 .view({3, batch * layer.heads, time, width});
    const at::Tensor queries = heads.select(0, 0) * (1.0 / std::sqrt(static_cast<double>(width)));
    at::Tensor scores = at::bmm(queries, heads.select(0, 1).transpose(1, 2));
    if (layer.causal) {
        const at::Tensor future =
            torch::ones({time, time}, scores.options().dtype(at::kBool)).triu(1);
        scores = scores.masked_fill(future, -std::numeric_limits<float>::infinity());
    }
    const at::Tensor mixed = at::bmm(at::softmax(scores, -1), heads.select(0, 2))
                                 .view({batch, layer.heads, time, width})
                                 .transpose(1, 2)
                                 .reshape({batch, time, features});
    return linear(mixed, node.parameters[2], node.parameters[3]);
}

at::Tensor ForwardPass::apply(const model::Lstm& layer, const LayerNode& node,
                              const at::Tensor& x) const {
    const at::Tensor from_input = linear(x, node.parameters[0], node.parameters[2]);
    at::Tensor hidden = torch::zeros({x.size(0), layer.hidden}, from_input.options()),
               cell = hidden;
    std::vector<at::Tensor> outputs;
    for (int64_t t = 0; t < x.size(1); ++t) {
        const at::Tensor gates =
            from_input.select(1, t) + linear(hidden, node.parameters[1], node.parameters[3]);
        const auto parts = gates.chunk(4, 1);
        cell = at::sigmoid(parts[1]) * cell + at::sigmoid(parts[0]) * at::tanh(parts[2]);
        hidden = at::sigmoid(parts[3]) * at::tanh(cell);
        outputs.push_back(hidden);
    }
    return at::stack(outputs, 1);
}

at::Tensor ForwardPass::apply(const model::Gru& layer, const LayerNode& node,
                              const at::Tensor& x) const {
    const at::Tensor from_input = linear(x, node.parameters[0], node.parameters[2]);
    at::Tensor hidden = torch::zeros({x.size(0), layer.hidden}, from_input.options());
    std::vector<at::Tensor> outputs;
    for (int64_t t = 0; t < x.size(1); ++t) {
        const auto in = from_input.select(1, t).chunk(3, 1);
        const auto rec = linear(hidden, node.parameters[1], node.parameters[3]).chunk(3, 1);
        const at::Tensor reset = at::sigmoid(in[0] + rec[0]), update = at::sigmoid(in[1] + rec[1]);
        const at::Tensor candidate = at::tanh(in[2] + reset * rec[2]);
        hidden = (1 - update) * candidate + update * hidden;
        outputs.push_back(hidden);
    }
    return at::stack(outputs, 1);
}

at::Tensor ForwardPass::apply(const model::Activation& layer, const LayerNode&,
                              const at::Tensor& x) const {
    using Function = model::Activation::Function;
    switch (layer.function) {
        case Function::kRelu:
            return at::relu(x);
        case Function::kTanh:
            return at::tanh(x);
        case Function::kSigmoid:
            return at::sigmoid(x);
        case Function::kGelu:
            return at::gelu(x);
        case Function::kSilu:
            return at::silu(x);
        case Function::kElu:
            return at::elu(x);
        case Function::kSoftplus:
            return at::softplus(x);
        case Function::kSquare:
            return x * x;
    }
    throw Error(ErrorCode::kInternal, "unknown activation");
}

at::Tensor ForwardPass::apply(const model::Dropout& layer, const LayerNode&,
                              const at::Tensor& x) const {
    return network.training_ ? drop(x, layer.probability) : x;
}

at::Tensor ForwardPass::apply(const model::Flatten&, const LayerNode&, const at::Tensor& x) const {
    return x.flatten(1);
}

at::Tensor ForwardPass::apply(const model::Residual&, const LayerNode& node,
                              const at::Tensor& x) const {
    return run(node.body, x) + run(node.shortcut, x);
}

}  // namespace ward::nn
