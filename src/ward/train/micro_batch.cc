#include "ward/train/internal/micro_batch.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <variant>

#include "ward/nn/private_gradients.h"
#include "ward/train/private_step.h"

namespace ward::train {
namespace {

constexpr int64_t kBytes = int64_t{1} << 30;
constexpr int64_t kFloatsPerActivation =
    3;  // the activation, its gradient, and what a layer saves besides

int64_t size_of(const model::Shape& shape) {
    return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// Numbers in the outputs of all layers for one example.
int64_t activations(const std::vector<model::LayerSpec>& layers, model::Shape& shape) {
    int64_t total = 0;
    for (const model::LayerSpec& layer : layers) {
        if (const auto* residual = std::get_if<model::Residual>(&layer.kind)) {
            model::Shape body = shape, shortcut = shape;
            total += activations(residual->body, body) + activations(residual->shortcut, shortcut);
        }
        if (const auto* attention = std::get_if<model::SelfAttention>(&layer.kind)) {
            total += 3 * size_of(shape) + 2 * attention->heads * shape[0] * shape[0];
        }
        shape = model::output_shape(layer, shape);
        total += size_of(shape);
    }
    return total;
}

int64_t weights_of(const model::Conv2d& conv, const model::Shape& input) {
    return conv.out_channels * (input[0] / conv.groups) * conv.kernel * conv.kernel;
}

int64_t positions_of(const model::LayerSpec& layer, const model::Shape& input,
                     const model::Shape& output) {
    if (const auto* conv = std::get_if<model::Conv2d>(&layer.kind)) {
        const bool in_double =
            conv->groups == 1 && weights_of(*conv, input) <= nn::kAlwaysKeptWeights;
        return in_double ? 1 : output[1] * output[2];
    }
    const bool per_step = std::holds_alternative<model::Linear>(layer.kind) ||
                          std::holds_alternative<model::Conv1d>(layer.kind) ||
                          std::holds_alternative<model::SelfAttention>(layer.kind) ||
                          std::holds_alternative<model::Embedding>(layer.kind) ||
                          std::holds_alternative<model::Lstm>(layer.kind) ||
                          std::holds_alternative<model::Gru>(layer.kind);
    return per_step && output.size() == 2 ? output[0] : 1;
}

int64_t most_positions(const std::vector<model::LayerSpec>& layers, model::Shape& shape) {
    int64_t most = 1;
    for (const model::LayerSpec& layer : layers) {
        if (const auto* residual = std::get_if<model::Residual>(&layer.kind)) {
            model::Shape body = shape, shortcut = shape;
            most = std::max({most, most_positions(residual->body, body),
                             most_positions(residual->shortcut, shortcut)});
        }
        const model::Shape output = model::output_shape(layer, shape);
        most = std::max(most, positions_of(layer, shape, output));
        shape = output;
    }
    return most;
}

}  // namespace

int64_t most_positions(const model::ModelSpec& spec) {
    model::Shape shape = spec.input_shape;
    return most_positions(spec.layers, shape);
}

// docs/decisions/0002-arithmetic-sensitivity.md: 2 * kSafety * u * m * sqrt(B T) / 3 <=
// kSensitivityMargin.
int64_t largest_micro_batch(const model::ModelSpec& spec, int64_t expected_batch, int64_t views) {
    constexpr double kUnitRoundoff = 0x1p-24, kSafety = 2;
    const double terms = std::sqrt(static_cast<double>(expected_batch) *
                                   static_cast<double>(most_positions(spec) * views));
    return std::max<int64_t>(
        1, static_cast<int64_t>(3 * kSensitivityMargin / (2 * kSafety * kUnitRoundoff * terms)));
}

int64_t automatic_micro_batch(const model::ModelSpec& spec, int64_t views) {
    model::Shape shape = spec.input_shape;
    const int64_t floats =
        (size_of(shape) + activations(spec.layers, shape)) * kFloatsPerActivation * views;
    return std::clamp<int64_t>(kBytes / (floats * static_cast<int64_t>(sizeof(float))), 1, 4096);
}

}  // namespace ward::train
