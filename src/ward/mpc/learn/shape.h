// What a network on shares is made of, and the steps that computing it takes.
//
//   NetworkShape{.widths = {784, 128, 10}}             dense layers with ReLU between them
//   NetworkShape{.image = {28, 28, 1}, .layers = {...}}   any of the layers below
//   shape_of(spec)                                     from a ModelSpec (module model)
//
// Thread safety: value types.
#pragma once

#include <vector>

#include "ward/model/spec.h"
#include "ward/mpc/learn/patches.h"

namespace ward::mpc {

struct NetworkLayer {
    enum class Kind { kDense, kConvolution, kAveragePool, kMaxPool, kRelu, kGroupNorm };
    Kind kind = Kind::kDense;
    size_t outputs = 0;  // values of a dense layer, channels of a convolution
    size_t kernel = 0;   // square
    size_t stride = 1;
    size_t padding = 0;  // convolutions only
    size_t groups = 0;   // of a group norm, which divide the channels
    double epsilon = 1e-5;

    friend bool operator==(const NetworkLayer&, const NetworkLayer&) = default;
};

struct NetworkShape {
    std::vector<size_t> widths;  // inputs, hidden layers, outputs; 1 output: logistic regression
    // With `layers`, in their place; the last layer is dense.
    ImageShape image;  // of an example, whose values are ordered channels x height x width
    std::vector<NetworkLayer> layers;

    size_t inputs() const { return layers.empty() ? widths.front() : image.size(); }
    size_t outputs() const { return layers.empty() ? widths.back() : layers.back().outputs; }
    // A text that differs for different shapes.
    std::string text() const;
};

// Something to compute, on rows that are images with channels last.
struct NetworkStep {
    // kProduct: patches times weights plus biases. A dense layer is one patch, the whole row.
    enum class Kind { kProduct, kAveragePool, kMaxPool, kRelu, kGroupNorm };
    Kind kind = Kind::kProduct;
    PatchShape patches;  // of products and pools; image is the input of any step
    ImageShape output;
    size_t parameters = 0;  // which weights, of a product or group norm
    // The product is 2^box_bits times too large, because its patches are sums of as many.
    int box_bits = 0;
    size_t groups = 1;  // of a group norm
    double epsilon = 0;

    // A patch that is the whole row as it is: one position is not enough, it may leave pixels out
    // or be a sum of patches.
    bool is_dense() const {
        return patches.positions() == 1 && patches.patch_size() == patches.image.size();
    }
    bool has_weights() const { return kind == Kind::kProduct || kind == Kind::kGroupNorm; }
    // Of a group norm: one factor (and one bias) per channel.
    size_t weight_rows() const { return kind == Kind::kGroupNorm ? 1 : patches.patch_size(); }
    size_t weight_cols() const { return output.channels; }
};

// Two rewritings that change no value: an average pool of 2 x 2, 4 x 4 .. behind a convolution of
// stride 1 becomes part of it, and a ReLU before a max pool goes behind it. Throws Error kUsage for
// shapes that make no sense, with the place of the layer.
std::vector<NetworkStep> steps_of(const NetworkShape& shape);

// Linear, Conv2d (one group, with biases), MaxPool2d and AvgPool2d without padding,
// GlobalAvgPool2d, GroupNorm, ReLU, Flatten; anything else is refused by its name with Error
// kUnsupported.
NetworkShape shape_of(const model::ModelSpec& spec);

}  // namespace ward::mpc
