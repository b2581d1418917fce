#include "ward/train/internal/micro_batch.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <variant>

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

}  // namespace

int64_t automatic_micro_batch(const model::ModelSpec& spec, int64_t views) {
    model::Shape shape = spec.input_shape;
    const int64_t floats =
        (size_of(shape) + activations(spec.layers, shape)) * kFloatsPerActivation * views;
    return std::clamp<int64_t>(kBytes / (floats * static_cast<int64_t>(sizeof(float))), 1, 4096);
}

}  // namespace ward::train
