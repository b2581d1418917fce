// Layers of a spec one by one with their paths and shapes: the one place that knows how shapes flow
// through residual blocks.
#pragma once

#include <functional>
#include <string>

#include "ward/model/spec.h"

namespace ward::model {

inline constexpr int64_t kMaxDimension = int64_t{1} << 31;   // of a shape, a width, a kernel
inline constexpr int64_t kMaxElements = int64_t{1} << 31;    // of one example's activations
inline constexpr int64_t kMaxParameters = int64_t{1} << 31;  // of a model
inline constexpr int64_t kMaxLayers = 4096;                  // nested ones included
inline constexpr int kMaxDepth = 8;                          // of residual blocks

inline constexpr size_t kMaxNameBytes = 64;

bool is_layer_name(const std::string& name);  // [a-z0-9_]{1,64}

struct LayerVisit {
    const LayerSpec& layer;
    const std::string& path;
    const Shape& input;
    const Shape& output;
    bool frozen;  // by itself or by a block around it
};

// Throws Error kInvalid: "layer PATH: what, got, expected".
[[noreturn]] void fail_layer(const std::string& path, const std::string& message,
                             const std::string& hint = {});

// The shape after a layer at `path`; looks into residual blocks. Throws as fail_layer.
Shape infer_shape(const LayerSpec& layer, const std::string& path, const Shape& input);

// Calls `visit` for each layer, a residual block before the layers in it. Checks names, members,
// shapes, depth and the number of layers on the way.
void walk(const ModelSpec& spec, const std::function<void(const LayerVisit&)>& visit);

// The parameters of one layer, without those of nested layers.
std::vector<ParameterSpec> layer_parameters(const LayerVisit& visit);

}  // namespace ward::model
