#include "ward/nn/network.h"

#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "ward/core/error.h"
#include "ward/nn/internal/forward_pass.h"
#include "ward/nn/internal/layer_node.h"
#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

std::string shape_text(at::IntArrayRef shape) {
    std::string text = "{";
    for (size_t i = 0; i < shape.size(); ++i)
        text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
    return text + "}";
}

at::Tensor initial_value(const model::ParameterSpec& spec, at::Generator& generator) {
    using Init = model::ParameterSpec::Init;
    at::Tensor value = torch::empty(spec.shape);
    switch (spec.init) {
        case Init::kOnes:
            return value.fill_(1);
        case Init::kZeros:
            return value.fill_(0);
        case Init::kNormal:
            return value.normal_(0, 1, generator);
        case Init::kKaimingUniform: {
            const double bound =
                1 / std::sqrt(static_cast<double>(std::max<int64_t>(spec.fan_in, 1)));
            return value.uniform_(-bound, bound, generator);
        }
    }
    throw Error(ErrorCode::kInternal, "unknown initialisation of " + spec.name);
}

// Gives each layer its place in the list of parameters, which is in the order of the layers.
class NodeBuilder {
  public:
    explicit NodeBuilder(const std::vector<model::ParameterSpec>& parameters)
        : parameters_(parameters) {}

    std::vector<LayerNode> build(const std::vector<model::LayerSpec>& layers,
                                 const std::string& prefix) {
        std::vector<LayerNode> nodes;
        for (const model::LayerSpec& layer : layers) {
            LayerNode node;
            node.spec = &layer;
            node.path = prefix + layer.name;
            if (const auto* residual = std::get_if<model::Residual>(&layer.kind)) {
                node.body = build(residual->body, node.path + ".body.");
                node.shortcut = build(residual->shortcut, node.path + ".shortcut.");
            } else {
                while (next_ < parameters_.size() &&
                       parameters_[next_].name.rfind(node.path + ".", 0) == 0) {
                    node.parameters.push_back(static_cast<int>(next_++));
                }
            }
            nodes.push_back(std::move(node));
        }
        return nodes;
    }

  private:
    const std::vector<model::ParameterSpec>& parameters_;
    size_t next_ = 0;
};

}  // namespace

Precision parse_precision(std::string_view name) {
    if (name == "fp32") return Precision::kFp32;
    if (name == "bf16") return Precision::kBf16;
    throw Error(ErrorCode::kUsage, "precision must be fp32 or bf16, got " + std::string(name));
}

int64_t trainable_layers(const model::ModelSpec& spec) {
    std::set<std::string> layers;
    for (const model::ParameterSpec& parameter : model::parameters(spec)) {
        if (!parameter.frozen) layers.insert(parameter.name.substr(0, parameter.name.rfind('.')));
    }
    return static_cast<int64_t>(layers.size());
}

Network::Network(model::ModelSpec spec, uint64_t seed) : spec_(std::move(spec)) {
    model::validate(spec_);
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    for (const model::ParameterSpec& parameter : model::parameters(spec_)) {
        parameters_.push_back(
            {parameter.name, initial_value(parameter, generator), !parameter.frozen});
    }
    build();
}

Network::Network(const model::Model& model) : spec_(model.spec) {
    model::validate(spec_);
    for (const model::ParameterSpec& parameter : model::parameters(spec_)) {
        const auto found = model.weights.find(parameter.name);
        if (found == model.weights.end() || found->second.shape != parameter.shape) {
            throw Error(ErrorCode::kInvalid, "the model has no weight " + parameter.name +
                                                 " of shape " + shape_text(parameter.shape));
        }
        const auto& values = found->second.values;
        at::Tensor tensor = torch::empty(parameter.shape);
        std::memcpy(tensor.data_ptr<float>(), values.data(), values.size() * sizeof(float));
        parameters_.push_back({parameter.name, std::move(tensor), !parameter.frozen});
    }
    build();
}

Network::~Network() = default;

// The nodes point into spec_.layers, whose buffer a move hands over; the copy-free move keeps them
// valid.
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;

void Network::build() {
    const auto parameters = model::parameters(spec_);
    layers_ = NodeBuilder(parameters).build(spec_.layers, "");
}

void Network::to(const std::string& device) {
    // TensorFloat-32 would round products to 10 bits behind the back of every bound on rounding.
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
    try {
        for (Parameter& parameter : parameters_)
            parameter.value = parameter.value.to(at::Device(device));
    } catch (const c10::Error&) {
        throw Error(ErrorCode::kUnsupported,
                    "device " + device + " is not available in this LibTorch",
                    "use --device cpu, or a LibTorch built for that device");
    }
    device_ = device;
}

at::Tensor Network::forward(const at::Tensor& x, Tape* tape) const {
    if (x.dim() < 1 || x.sizes().slice(1) != at::IntArrayRef(spec_.input_shape)) {
        throw Error(ErrorCode::kInvalid,
                    "model " + spec_.name + " takes inputs of shape " +
                        shape_text(spec_.input_shape) + ", got " +
                        shape_text(x.dim() < 1 ? x.sizes() : x.sizes().slice(1)));
    }
    return ForwardPass{*this, tape}.run(layers_, x).to(at::kFloat);
}

std::map<std::string, model::Weight> Network::export_weights() const {
    std::map<std::string, model::Weight> weights;
    for (const Parameter& parameter : parameters_) {
        const at::Tensor value = parameter.value.detach().to(at::kCPU, at::kFloat).contiguous();
        const float* data = value.data_ptr<float>();
        weights[parameter.name] = {value.sizes().vec(),
                                   std::vector<float>(data, data + value.numel())};
    }
    return weights;
}

}  // namespace ward::nn
