// A network built from a model::ModelSpec: parameters as tensors and a forward pass that computes
// what the equivalent torch::nn modules compute.
//
// Plain use: `forward` under autograd. For private training, `forward(x, &tape)` also records every
// use of a trainable parameter, so that one backward pass gives all per-example gradients (see
// private_gradients.h).
//
// Thread safety: none; one network per thread. Devices: whatever LibTorch has.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ward/model/model.h"
#include "ward/model/spec.h"

namespace ward::nn {

class Tape;
struct LayerNode;  // a layer with the places of its parameters; defined in internal/layer_node.h

struct Parameter {
    std::string name;
    at::Tensor value;  // float32
    bool trainable = true;
};

// In kBf16 the inputs and weights of matrix products and convolutions are rounded to bfloat16,
// products are summed in float32 and results rounded to bfloat16; normalisations, losses, norms and
// parameters stay in float32.
// Layers with fewer than kLeastBf16Weights weights stay in float32: converting would cost more than
// it saves.
enum class Precision { kFp32, kBf16 };
inline constexpr int64_t kLeastBf16Weights = 32768;
Precision parse_precision(std::string_view name);  // "fp32" | "bf16"; throws Error kUsage

// Number of layers that own trainable parameters: the rows of PrivateGradients::squared_norms.
int64_t trainable_layers(const model::ModelSpec& spec);

class Network {
  public:
    // Initialised like Torch's modules (Kaiming uniform and so on) from a seeded generator: the
    // same spec and seed give the same weights on every machine. The seed is public; initial
    // weights carry no information on data.
    Network(model::ModelSpec spec, uint64_t seed);

    // With the weights of a model.
    explicit Network(const model::Model& model);
    ~Network();
    Network(Network&&) noexcept;
    Network& operator=(Network&&) noexcept;

    const model::ModelSpec& spec() const { return spec_; }
    const std::vector<Parameter>& parameters() const { return parameters_; }
    std::vector<Parameter>& parameters() { return parameters_; }

    void to(const std::string&
                device);  // "cpu", "cuda:0"; throws Error kUnsupported when it is not there
    const std::string& device() const { return device_; }
    void set_training(bool on) { training_ = on; }  // dropout
    bool training() const { return training_; }
    void set_precision(Precision precision) { precision_ = precision; }
    Precision precision() const { return precision_; }

    // x: {batch, input_shape...}, float32 (tokens: any integer or float type). Returns {batch,
    // outputs}, float32. Throws Error kInvalid when x has another shape.
    at::Tensor forward(const at::Tensor& x, Tape* tape = nullptr) const;

    // Weights for model::save_model.
    std::map<std::string, model::Weight> export_weights() const;

  private:
    friend struct ForwardPass;
    void build();

    model::ModelSpec spec_;
    std::vector<Parameter> parameters_;
    std::vector<LayerNode> layers_;
    std::string device_ = "cpu";
    bool training_ = false;
    Precision precision_ = Precision::kFp32;
};

}  // namespace ward::nn
