// What each layer does to a shape, and which members it accepts.
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/model/internal/walk.h"

namespace ward::model {

void fail_layer(const std::string& path, const std::string& message, const std::string& hint) {
    throw Error(ErrorCode::kInvalid, "layer " + path + ": " + message, hint);
}

int64_t element_count(const Shape& shape) {
    int64_t count = 1;
    for (int64_t dimension : shape) count *= dimension;
    return count;
}

std::string shape_text(const Shape& shape) {
    std::string text = "{";
    for (size_t i = 0; i < shape.size(); ++i) {
        text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    }
    return text + "}";
}

namespace {

// One overload per layer kind: checks the members, then the input, and returns the output.
class ShapeRule {
  public:
    ShapeRule(std::string_view kind, const std::string& path, const Shape& input)
        : kind_(kind), path_(path), input_(input) {}

    Shape operator()(const Linear& layer) const {
        between("out_features", layer.out_features, 1, kMaxDimension);
        if (input_.size() > 2) need("{features} or {time, features}", "put a flatten before it");
        Shape output = input_;
        output.back() = layer.out_features;
        return output;
    }
    Shape operator()(const Conv1d& layer) const {
        check_convolution(layer);
        need_sequence();
        check_groups(layer.groups, input_[1], layer.out_channels);
        return {slide(input_[0], layer.kernel, layer.stride, layer.padding), layer.out_channels};
    }
    Shape operator()(const Conv2d& layer) const {
        check_convolution(layer);
        need_image();
        check_groups(layer.groups, input_[0], layer.out_channels);
        return {layer.out_channels, slide(input_[1], layer.kernel, layer.stride, layer.padding),
                slide(input_[2], layer.kernel, layer.stride, layer.padding)};
    }
    Shape operator()(const MaxPool2d& layer) const { return pool(layer); }
    Shape operator()(const AvgPool2d& layer) const { return pool(layer); }
    Shape operator()(const GlobalAvgPool2d&) const {
        need_image();
        return {input_[0]};
    }
    Shape operator()(const MeanOverTime&) const { return drop_time(); }
    Shape operator()(const LastTimeStep&) const { return drop_time(); }
    Shape operator()(const GroupNorm& layer) const {
        between("groups", layer.groups, 1, kMaxDimension);
        check_epsilon(layer.epsilon);
        if (input_.size() == 2) {
            need("{channels, height, width} or {features}", "use layer_norm or rms_norm");
        }
        if (input_[0] % layer.groups != 0) {
            fail("groups must divide the " + std::to_string(input_[0]) + " channels, got " +
                 std::to_string(layer.groups));
        }
        return input_;
    }
    Shape operator()(const LayerNorm& layer) const {
        check_epsilon(layer.epsilon);
        return input_;
    }
    Shape operator()(const RmsNorm& layer) const {
        check_epsilon(layer.epsilon);
        return input_;
    }
    Shape operator()(const Embedding& layer) const {
        between("vocabulary", layer.vocabulary, 1, kMaxDimension);
        between("dimension", layer.dimension, 1, kMaxDimension);
        if (input_.size() != 1) need("tokens {time}");
        return {input_[0], layer.dimension};
    }
    Shape operator()(const PositionalEmbedding&) const {
        need_sequence();
        return input_;
    }
    Shape operator()(const SelfAttention& layer) const {
        between("heads", layer.heads, 1, kMaxDimension);
        need_sequence();
        if (input_[1] % layer.heads != 0) {
            fail("heads must divide the " + std::to_string(input_[1]) + " features, got " +
                 std::to_string(layer.heads));
        }
        return input_;
    }
    Shape operator()(const Lstm& layer) const { return recurrent(layer.hidden); }
    Shape operator()(const Gru& layer) const { return recurrent(layer.hidden); }
    Shape operator()(const Activation&) const { return input_; }
    Shape operator()(const Dropout& layer) const {
        if (!(layer.probability >= 0 && layer.probability < 1)) {
            fail("probability must be at least 0 and less than 1, got " +
                 std::to_string(layer.probability));
        }
        return input_;
    }
    Shape operator()(const Flatten&) const { return {element_count(input_)}; }
    Shape operator()(const Residual& layer) const {
        Shape body = follow(layer.body, "body");
        const Shape shortcut = follow(layer.shortcut, "shortcut");
        if (layer.body.empty()) fail("body must hold at least one layer");
        if (body != shortcut) {
            const std::string other =
                layer.shortcut.empty() ? "the input (no shortcut)" : "the shortcut";
            fail_layer(path_,
                       "both branches must end in one shape, got " + shape_text(body) +
                           " from the body and " + shape_text(shortcut) + " from " + other,
                       "give the block a shortcut that maps its input to " + shape_text(body));
        }
        return body;
    }

  private:
    [[noreturn]] void fail(const std::string& message) const {
        fail_layer(path_, std::string(kind_) + ": " + message);
    }
    [[noreturn]] void need(const std::string& expected, const std::string& hint = {}) const {
        fail_layer(path_, std::string(kind_) + " needs " + expected + ", got " + shape_text(input_),
                   hint);
    }
    void need_image() const {
        if (input_.size() != 3) need("{channels, height, width}");
    }
    void need_sequence() const {
        if (input_.size() != 2) need("{time, features}");
    }
    void between(const char* member, int64_t value, int64_t least, int64_t most) const {
        if (value >= least && value <= most) return;
        fail(std::string(member) + " must be between " + std::to_string(least) + " and " +
             std::to_string(most) + ", got " + std::to_string(value));
    }
    void check_epsilon(double epsilon) const {
        if (!(epsilon > 0 && epsilon <= 1)) {
            fail("epsilon must be > 0 and at most 1, got " + std::to_string(epsilon));
        }
    }
    template <typename Convolution>
    void check_convolution(const Convolution& layer) const {
        between("out_channels", layer.out_channels, 1, kMaxDimension);
        between("kernel", layer.kernel, 1, kMaxDimension);
        between("stride", layer.stride, 1, kMaxDimension);
        between("padding", layer.padding, 0, kMaxDimension);
        between("groups", layer.groups, 1, kMaxDimension);
    }
    void check_groups(int64_t groups, int64_t in_channels, int64_t out_channels) const {
        if (in_channels % groups == 0 && out_channels % groups == 0) return;
        fail("groups must divide the " + std::to_string(in_channels) + " input and " +
             std::to_string(out_channels) + " output channels, got " + std::to_string(groups));
    }
    // Positions of a window that slides over `size` values and the zeros around them.
    int64_t slide(int64_t size, int64_t kernel, int64_t stride, int64_t padding) const {
        const int64_t padded = size + 2 * padding;
        if (kernel > padded) {
            need("at least " + std::to_string(kernel) + " values under its kernel (here " +
                 std::to_string(padded) + " with padding)");
        }
        return (padded - kernel) / stride + 1;
    }
    template <typename Pool>
    Shape pool(const Pool& layer) const {
        between("kernel", layer.kernel, 1, kMaxDimension);
        between("stride", layer.stride, 1, kMaxDimension);
        between("padding", layer.padding, 0, layer.kernel / 2);  // as Torch's pooling modules
        need_image();
        return {input_[0], slide(input_[1], layer.kernel, layer.stride, layer.padding),
                slide(input_[2], layer.kernel, layer.stride, layer.padding)};
    }
    Shape drop_time() const {
        need_sequence();
        return {input_[1]};
    }
    Shape recurrent(int64_t hidden) const {
        between("hidden", hidden, 1, kMaxDimension);
        need_sequence();
        return {input_[0], hidden};
    }
    Shape follow(const std::vector<LayerSpec>& branch, const std::string& name) const {
        Shape shape = input_;
        for (const LayerSpec& layer : branch) {
            shape = infer_shape(layer, path_ + "." + name + "." + layer.name, shape);
        }
        return shape;
    }

    std::string_view kind_;
    const std::string& path_;
    const Shape& input_;
};

// Whether all dimensions are positive and their product stays within the cap.
bool fits(const Shape& shape) {
    int64_t count = 1;
    for (int64_t dimension : shape) {
        if (dimension < 1 || dimension > kMaxElements / count) return false;
        count *= dimension;
    }
    return true;
}

}  // namespace

Shape infer_shape(const LayerSpec& layer, const std::string& path, const Shape& input) {
    if (input.empty() || input.size() > 3 || !fits(input)) {
        fail_layer(path, "input shapes have 1 to 3 positive dimensions and at most " +
                             std::to_string(kMaxElements) + " elements, got " + shape_text(input));
    }
    Shape output = std::visit(ShapeRule(kind_name(layer.kind), path, input), layer.kind);
    if (!fits(output)) {
        fail_layer(path, "an example may have at most " + std::to_string(kMaxElements) +
                             " activations, got " + shape_text(output));
    }
    return output;
}

Shape output_shape(const LayerSpec& layer, const Shape& input) {
    return infer_shape(layer, layer.name, input);
}

}  // namespace ward::model
