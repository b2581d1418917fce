// One forward pass of a Network: a visitor over its layers.
#pragma once

#include <string>
#include <vector>

#include "ward/nn/internal/layer_node.h"
#include "ward/nn/network.h"
#include "ward/nn/tape.h"
#include "ward/nn/torch.h"

namespace ward::nn {

struct ForwardPass {
    const Network& network;
    Tape* tape;

    at::Tensor run(const std::vector<LayerNode>& layers, at::Tensor x) const;
    at::Tensor run(const LayerNode& node, const at::Tensor& x) const;

  private:
    // The place-th parameter of a layer, cut off from autograd while a tape takes the gradients.
    at::Tensor value(const LayerNode& node, size_t place) const;
    int trainable_index(const LayerNode& node, size_t place) const;
    int weight_of(const std::string& path) const;
    bool rounds_to_bf16(const at::Tensor& weight) const;

    at::Tensor linear(const at::Tensor& x, int weight, int bias) const;
    at::Tensor convolution(const LayerNode& node, const at::Tensor& x, const ConvGeometry& geometry,
                           bool bias) const;

    at::Tensor apply(const model::Linear& layer, const LayerNode& node, const at::Tensor& x) const;
    at::Tensor apply(const model::Conv1d& layer, const LayerNode& node, const at::Tensor& x) const;
    at::Tensor apply(const model::Conv2d& layer, const LayerNode& node, const at::Tensor& x) const;
    at::Tensor apply(const model::MaxPool2d& layer, const LayerNode& node,
                     const at::Tensor& x) const;
    at::Tensor apply(const model::AvgPool2d& layer, const LayerNode& node,
                     const at::Tensor& x) const;
    at::Tensor apply(const model::GlobalAvgPool2d&, const LayerNode&, const at::Tensor& x) const;
    at::Tensor apply(const model::MeanOverTime&, const LayerNode&, const at::Tensor& x) const;
    at::Tensor apply(const model::LastTimeStep&, const LayerNode&, const at::Tensor& x) const;
    at::Tensor apply(const model::GroupNorm& layer, const LayerNode& node,
                     const at::Tensor& x) const;
    at::Tensor apply(const model::LayerNorm& layer, const LayerNode& node,
                     const at::Tensor& x) const;
    at::Tensor apply(const model::RmsNorm& layer, const LayerNode& node, const at::Tensor& x) const;
    at::Tensor apply(const model::Embedding& layer, const LayerNode& node,
                     const at::Tensor& x) const;
    at::Tensor apply(const model::PositionalEmbedding&, const LayerNode& node,
                     const at::Tensor& x) const;
    at::Tensor apply(const model::SelfAttention& layer, const LayerNode& node,
                     const at::Tensor& x) const;
    at::Tensor apply(const model::Lstm& layer, const LayerNode& node, const at::Tensor& x) const;
    at::Tensor apply(const model::Gru& layer, const LayerNode& node, const at::Tensor& x) const;
    at::Tensor apply(const model::Activation& layer, const LayerNode& node,
                     const at::Tensor& x) const;
    at::Tensor apply(const model::Dropout& layer, const LayerNode& node, const at::Tensor& x) const;
    at::Tensor apply(const model::Flatten&, const LayerNode&, const at::Tensor& x) const;
    at::Tensor apply(const model::Residual&, const LayerNode& node, const at::Tensor& x) const;
};

}  // namespace ward::nn
