// The tensors of each layer: names, shapes and Torch's default initialisation.
#include "ward/core/error.h"
#include "ward/model/internal/walk.h"

namespace ward::model {
namespace {

using Init = ParameterSpec::Init;

class ParameterRule {
  public:
    explicit ParameterRule(const LayerVisit& visit) : visit_(visit) {}

    void operator()(const Linear& layer) {
        const int64_t in = visit_.input.back();
        if (layer.tied_to.empty()) uniform("weight", {layer.out_features, in}, in);
        if (layer.bias) uniform("bias", {layer.out_features}, in);
    }
    void operator()(const Conv1d& layer) {
        convolution(layer, {layer.out_channels, visit_.input[1] / layer.groups, layer.kernel});
    }
    void operator()(const Conv2d& layer) {
        convolution(layer, {layer.out_channels, visit_.input[0] / layer.groups, layer.kernel,
                            layer.kernel});
    }
    void operator()(const GroupNorm&) { norm({visit_.input[0]}, true); }
    void operator()(const LayerNorm&) { norm({visit_.input.back()}, true); }
    void operator()(const RmsNorm&) { norm({visit_.input.back()}, false); }
    void operator()(const Embedding& layer) {
        normal("weight", {layer.vocabulary, layer.dimension}, 1.0);
    }
    void operator()(const PositionalEmbedding&) { normal("weight", visit_.input, 0.02); }
    void operator()(const SelfAttention&) {
        const int64_t features = visit_.input[1];
        uniform("in_proj.weight", {3 * features, features}, features);
        uniform("in_proj.bias", {3 * features}, features);
        uniform("out_proj.weight", {features, features}, features);
        uniform("out_proj.bias", {features}, features);
    }
    void operator()(const Lstm& layer) { recurrent(4, layer.hidden); }
    void operator()(const Gru& layer) { recurrent(3, layer.hidden); }
    template <typename WithoutParameters>
    void operator()(const WithoutParameters&) {}

    std::vector<ParameterSpec> take() { return std::move(list_); }

  private:
    // Overflow-safe: a kernel of 2^31 x 2^31 passes the shape rules when the padding is as large.
    void check_size(const Shape& shape) const {
        int64_t count = 1;
        for (int64_t dimension : shape) {
            if (dimension > kMaxParameters / count) {
                fail_layer(visit_.path, "a model may have at most " +
                                            std::to_string(kMaxParameters) +
                                            " parameters, got a tensor of " + shape_text(shape));
            }
            count *= dimension;
        }
    }
    ParameterSpec& add(const std::string& name, Shape shape, Init init) {
        check_size(shape);
        list_.push_back({visit_.path + "." + name, std::move(shape), visit_.frozen, init, 0, 1.0});
        return list_.back();
    }
    void uniform(const std::string& name, Shape shape, int64_t fan_in) {
        add(name, std::move(shape), Init::kKaimingUniform).fan_in = fan_in;
    }
    void normal(const std::string& name, Shape shape, double deviation) {
        add(name, std::move(shape), Init::kNormal).deviation = deviation;
    }
    void norm(const Shape& shape, bool bias) {
        add("weight", shape, Init::kOnes);
        if (bias) add("bias", shape, Init::kZeros);
    }
    template <typename Convolution>
    void convolution(const Convolution& layer, const Shape& weight) {
        check_size(weight);
        const int64_t fan_in = element_count(weight) / layer.out_channels;
        uniform("weight", weight, fan_in);
        if (layer.bias) uniform("bias", {layer.out_channels}, fan_in);
    }
    void recurrent(int64_t gates, int64_t hidden) {
        uniform("weight_ih", {gates * hidden, visit_.input[1]}, hidden);
        uniform("weight_hh", {gates * hidden, hidden}, hidden);
        uniform("bias_ih", {gates * hidden}, hidden);
        uniform("bias_hh", {gates * hidden}, hidden);
    }

    const LayerVisit& visit_;
    std::vector<ParameterSpec> list_;
};

}  // namespace

std::vector<ParameterSpec> layer_parameters(const LayerVisit& visit) {
    ParameterRule rule(visit);
    std::visit(rule, visit.layer.kind);
    return rule.take();
}

}  // namespace ward::model
