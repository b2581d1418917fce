#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "ward/core/error.h"
#include "ward/he/infer/internal/fit.h"
#include "ward/he/infer/network.h"

namespace ward::he {
namespace {

using model::Shape;

constexpr int64_t kMaxEntries = int64_t{1} << 28;
constexpr size_t kMaxSamples = 200'000;  // of one activation's inputs

// Builds a matrix row by row.
struct RowBuilder {
    SparseMatrix matrix;

    void add(int64_t column, double value) {
        matrix.column.push_back(static_cast<int32_t>(column));
        matrix.value.push_back(value);
    }
    void end_row() {
        matrix.start.push_back(matrix.entries());
        ++matrix.rows;
    }
};

struct Affine {
    SparseMatrix matrix;
    std::vector<double> bias;
};

// Output places and input places of a window that slides over an image.
struct Window {
    int64_t kernel, stride, padding;
};

// f(input row, input column, kernel row, kernel column) for each place of the window inside the
// image.
template <typename F>
void for_window(const Window& w, const Shape& in, int64_t y, int64_t x, F&& f) {
    for (int64_t a = 0; a < w.kernel; ++a) {
        for (int64_t b = 0; b < w.kernel; ++b) {
            const int64_t row = y * w.stride + a - w.padding, column = x * w.stride + b - w.padding;
            if (row >= 0 && row < in[1] && column >= 0 && column < in[2]) f(row, column, a, b);
        }
    }
}

const model::Weight& weight_of(const model::Model& model, const std::string& name) {
    const auto found = model.weights.find(name);
    if (found == model.weights.end()) {
        throw Error(ErrorCode::kInvalid, "the model has no weight " + name);
    }
    return found->second;
}

double bias_of(const model::Weight* bias, int64_t i) {
    return bias == nullptr ? 0.0 : static_cast<double>(bias->values[i]);
}

Affine linear_layer(const model::Model& model, const std::string& name, const model::Linear& layer,
                    const Shape& in) {
    const model::Weight& weight = weight_of(model, name + ".weight");
    const model::Weight* bias = layer.bias ? &weight_of(model, name + ".bias") : nullptr;
    RowBuilder rows;
    Affine out;
    rows.matrix.columns = in[0];
    for (int64_t o = 0; o < layer.out_features; ++o) {
        for (int64_t i = 0; i < in[0]; ++i) rows.add(i, weight.values[o * in[0] + i]);
        rows.end_row();
        out.bias.push_back(bias_of(bias, o));
    }
    out.matrix = std::move(rows.matrix);
    return out;
}

Affine conv_layer(const model::Model& model, const std::string& name, const model::Conv2d& layer,
                  const Shape& in, const Shape& out_shape) {
    const model::Weight& weight = weight_of(model, name + ".weight");
    const model::Weight* bias = layer.bias ? &weight_of(model, name + ".bias") : nullptr;
    const int64_t group_in = in[0] / layer.groups, group_out = layer.out_channels / layer.groups;
    const Window window{layer.kernel, layer.stride, layer.padding};
    RowBuilder rows;
    Affine out;
    rows.matrix.columns = model::element_count(in);
    for (int64_t o = 0; o < out_shape[0]; ++o) {
        for (int64_t place = 0; place < out_shape[1] * out_shape[2]; ++place) {
            for (int64_t c = 0; c < group_in; ++c) {
                const int64_t channel = o / group_out * group_in + c;
                for_window(
                    window, in, place / out_shape[2], place % out_shape[2],
                    [&](int64_t row, int64_t column, int64_t a, int64_t b) {
                        rows.add(
                            (channel * in[1] + row) * in[2] + column,
                            weight.values[((o * group_in + c) * layer.kernel + a) * layer.kernel +
                                          b]);
                    });
            }
            rows.end_row();
            out.bias.push_back(bias_of(bias, o));
        }
    }
    out.matrix = std::move(rows.matrix);
    return out;
}

Affine mean_layer(const Window& window, const Shape& in, const Shape& out_shape) {
    RowBuilder rows;
    Affine out;
    rows.matrix.columns = model::element_count(in);
    const auto share = 1.0 / static_cast<double>(window.kernel * window.kernel);
    for (int64_t c = 0; c < in[0]; ++c) {
        for (int64_t place = 0; place < out_shape[1] * out_shape[2]; ++place) {
            for_window(window, in, place / out_shape[2], place % out_shape[2],
                       [&](int64_t row, int64_t column, int64_t, int64_t) {
                           rows.add((c * in[1] + row) * in[2] + column, share);
                       });
            rows.end_row();
            out.bias.push_back(0);
        }
    }
    out.matrix = std::move(rows.matrix);
    return out;
}

// Means of squares, given the sums of the squares that begin at each pixel.
Affine corner_layer(int64_t pool, const Shape& in, const Shape& out_shape) {
    RowBuilder rows;
    Affine out;
    rows.matrix.columns = model::element_count(in);
    for (int64_t c = 0; c < in[0]; ++c) {
        for (int64_t place = 0; place < out_shape[1] * out_shape[2]; ++place) {
            const int64_t row = place / out_shape[2] * pool, column = place % out_shape[2] * pool;
            rows.add((c * in[1] + row) * in[2] + column, 1.0 / static_cast<double>(pool * pool));
            rows.end_row();
            out.bias.push_back(0);
        }
    }
    out.matrix = std::move(rows.matrix);
    return out;
}

Affine global_mean(const Shape& in) {
    RowBuilder rows;
    rows.matrix.columns = model::element_count(in);
    const int64_t places = in[1] * in[2];
    for (int64_t c = 0; c < in[0]; ++c) {
        for (int64_t i = 0; i < places; ++i) {
            rows.add(c * places + i, 1.0 / static_cast<double>(places));
        }
        rows.end_row();
    }
    return {std::move(rows.matrix), std::vector<double>(static_cast<size_t>(in[0]), 0.0)};
}

Affine identity(int64_t size) {
    RowBuilder rows;
    rows.matrix.columns = size;
    for (int64_t i = 0; i < size; ++i) {
        rows.add(i, 1.0);
        rows.end_row();
    }
    return {std::move(rows.matrix), std::vector<double>(static_cast<size_t>(size), 0.0)};
}

// after(before(x)).
Affine compose(const Affine& after, const Affine& before) {
    Affine out{multiply(after.matrix, before.matrix), after.bias};
    for (int64_t i = 0; i < after.matrix.rows; ++i) {
        for (int64_t e = after.matrix.start[i]; e < after.matrix.start[i + 1]; ++e) {
            out.bias[i] += after.matrix.value[e] * before.bias[after.matrix.column[e]];
        }
    }
    return out;
}

using Function = model::Activation::Function;

std::function<double(double)> exact_function(Function function) {
    switch (function) {
        case Function::kRelu:
            return [](double x) { return std::max(x, 0.0); };
        case Function::kTanh:
            return [](double x) { return std::tanh(x); };
        case Function::kSigmoid:
            return [](double x) { return 1 / (1 + std::exp(-x)); };
        case Function::kGelu:
            return [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); };
        case Function::kSilu:
            return [](double x) { return x / (1 + std::exp(-x)); };
        case Function::kElu:
            return [](double x) { return x > 0 ? x : std::expm1(x); };
        case Function::kSoftplus:
            return [](double x) { return x > 20 ? x : std::log1p(std::exp(x)); };
        case Function::kSquare:
            break;
    }
    return [](double x) { return x * x; };
}

std::string function_name(Function function) {
    static const char* const kNames[] = {"relu", "tanh", "sigmoid",  "gelu",
                                         "silu", "elu",  "softplus", "square"};
    return kNames[static_cast<int>(function)];
}

// A linear layer as a map, and what it does to the distance between pixels (0: no image any more).
struct LinearStep {
    Affine affine;
    int64_t stride = 0;
};

// Nothing for layers that are not linear.
std::optional<LinearStep> linear_step(const model::Model& model, const std::string& name,
                                      const model::LayerKind& kind, const Shape& in,
                                      const Shape& out) {
    if (const auto* layer = std::get_if<model::Linear>(&kind);
        layer != nullptr && in.size() == 1 && layer->tied_to.empty()) {
        return LinearStep{linear_layer(model, name, *layer, in), 0};
    }
    if (const auto* layer = std::get_if<model::Conv2d>(&kind)) {
        return LinearStep{conv_layer(model, name, *layer, in, out), layer->stride};
    }
    if (const auto* layer = std::get_if<model::AvgPool2d>(&kind)) {
        return LinearStep{mean_layer({layer->kernel, layer->stride, layer->padding}, in, out),
                          layer->stride};
    }
    if (std::holds_alternative<model::GlobalAvgPool2d>(kind)) {
        return LinearStep{global_mean(in), 0};
    }
    return std::nullopt;
}

// Walks through the layers and collects what is linear until an activation ends a stage.
class Lowering {
  public:
    Lowering(const model::Model& model, const LowerOptions& options)
        : model_(model), options_(options), shape_(model.spec.input_shape) {
        network_.name = model.spec.name;
        network_.input_shape = shape_;
        network_.inputs = model::element_count(shape_);
        network_.outputs = model.spec.outputs;
        for (const model::LayerSpec& layer : model.spec.layers) {
            has_blocks_ |= std::holds_alternative<model::Residual>(layer.kind);
        }
        read_calibration();
        begin_stage();
    }

    Network run() {
        walk(model_.spec.layers, "");
        if (affine_ || !skips_.empty() || network_.stages.empty()) end_stage();
        return std::move(network_);
    }

  private:
    void read_calibration() {
        const auto size = static_cast<size_t>(network_.inputs);
        if (options_.calibration.size() % size != 0) {
            throw Error(ErrorCode::kInvalid, "calibration examples must have " +
                                                 std::to_string(size) + " inputs each, got " +
                                                 std::to_string(options_.calibration.size()) +
                                                 " numbers");
        }
        for (size_t i = 0; i < options_.calibration.size(); i += size) {
            const auto example = options_.calibration.subspan(i, size);
            examples_.push_back({{example.begin(), example.end()}});
        }
    }

    void begin_stage() {
        stage_ = Stage{};
        stage_.input_shape = shape_;
        stage_.stride = shape_.size() == 3 ? 1 : 0;
        affine_.reset();
        skips_.clear();
    }

    void walk(const std::vector<model::LayerSpec>& layers, const std::string& prefix) {
        for (const model::LayerSpec& layer : layers) {
            const Shape out = model::output_shape(layer, shape_);
            visit(prefix + layer.name, layer, out);
            shape_ = out;
        }
    }

    void append(const std::string& name, Affine next, int64_t stride) {
        if (next.matrix.entries() > kMaxEntries) {
            throw Error(ErrorCode::kUnsupported, "layer " + name + " is too large");
        }
        for (Skip& skip : skips_) skip.matrix = multiply(next.matrix, skip.matrix);
        affine_ = affine_ ? compose(next, *affine_) : std::move(next);
        stage_.name += (stage_.name.empty() ? "" : "+") + name;
        stage_.stride *= stride;
    }

    void end_stage() {
        if (!affine_) affine_ = identity(model::element_count(shape_));
        if (stage_.name.empty()) stage_.name = "input";
        stage_.skips = std::move(skips_);
        stage_.matrix = std::move(affine_->matrix);
        stage_.bias = std::move(affine_->bias);
        stage_.output_shape = shape_;
        network_.stages.push_back(std::move(stage_));
        begin_stage();
    }

    void visit(const std::string& name, const model::LayerSpec& layer, const Shape& out) {
        if (std::holds_alternative<model::Dropout>(layer.kind)) return;
        if (std::holds_alternative<model::Flatten>(layer.kind)) {
            stage_.stride = 0;
        } else if (const auto* activation = std::get_if<model::Activation>(&layer.kind)) {
            activate(*activation);
        } else if (const auto* block = std::get_if<model::Residual>(&layer.kind)) {
            add_block(name, *block);
        } else if (!begin_with_pool(name, layer.kind, out)) {
            auto step = linear_step(model_, name, layer.kind, shape_, out);
            if (!step) refuse(name, layer.kind);
            append(name, std::move(step->affine), step->stride);
        }
    }

    // Sums over squares of pixels take no level: a pool that a stage begins with.
    bool begin_with_pool(const std::string& name, const model::LayerKind& kind, const Shape& out) {
        const auto* layer = std::get_if<model::AvgPool2d>(&kind);
        const bool first = layer != nullptr && !affine_ && skips_.empty() && stage_.stride == 1 &&
                           layer->padding == 0 && !has_blocks_;
        if (!first || layer->kernel != layer->stride || layer->kernel < 2 ||
            !std::has_single_bit(static_cast<uint64_t>(layer->kernel))) {
            return false;
        }
        stage_.pool = layer->kernel;
        append(name, corner_layer(layer->kernel, shape_, out), layer->stride);
        return true;
    }

    void activate(const model::Activation& layer) {
        stage_.has_activation = true;
        end_stage();
        Stage& stage = network_.stages.back();
        stage.activation.function = function_name(layer.function);
        advance_examples(stage);
        if (layer.function != Function::kSquare) fit(stage, layer.function);
        for (auto& operands : examples_) {
            for (double& x : operands.back()) x = stage.activation(x);
        }
    }

    // body(x) + shortcut(x): x is an affine map of what stages began with, and so is its shortcut.
    void add_block(const std::string& name, const model::Residual& block) {
        const auto from = static_cast<int>(network_.stages.size());
        Affine shortcut = affine_ ? *affine_ : identity(model::element_count(shape_));
        std::vector<Skip> skips = skips_;
        Shape shape = shape_;
        for (const model::LayerSpec& layer : block.shortcut) {
            const Shape out = model::output_shape(layer, shape);
            const std::string inner = name + ".shortcut." + layer.name;
            const auto step = linear_step(model_, inner, layer.kind, shape, out);
            if (!step) refuse(inner, layer.kind);
            shortcut = compose(step->affine, shortcut);
            for (Skip& skip : skips) skip.matrix = multiply(step->affine.matrix, skip.matrix);
            shape = out;
        }
        walk(block.body, name + ".body.");
        if (!affine_) affine_ = identity(model::element_count(shape_));
        if (stage_.name.empty()) stage_.name = name;
        for (size_t i = 0; i < shortcut.bias.size(); ++i) affine_->bias[i] += shortcut.bias[i];
        if (from == static_cast<int>(network_.stages.size())) {
            affine_->matrix = add(affine_->matrix, shortcut.matrix);
        } else {
            skips.push_back({from, std::move(shortcut.matrix)});
        }
        for (Skip& skip : skips) add_skip(std::move(skip));
    }

    void add_skip(Skip skip) {
        const auto place =
            std::lower_bound(skips_.begin(), skips_.end(), skip.from,
                             [](const Skip& existing, int from) { return existing.from < from; });
        if (place != skips_.end() && place->from == skip.from) {
            place->matrix = he::add(place->matrix, skip.matrix);
        } else {
            skips_.insert(place, std::move(skip));
        }
    }

    [[noreturn]] static void refuse(const std::string& name, const model::LayerKind& kind) {
        throw Error(
            ErrorCode::kUnsupported,
            name + ": " + std::string(model::kind_name(kind)) + " has no encrypted form here",
            "use linear (not over sequences, not tied), conv2d, avg_pool2d, "
            "global_avg_pool2d, flatten, activations (not in shortcuts) and residual "
            "blocks; average instead of maximum, no normalisation");
    }

    // Examples go through the stage, but not through its activation.
    void advance_examples(const Stage& stage) {
        Stage sums = stage;
        sums.has_activation = false;
        for (auto& operands : examples_) operands.push_back(evaluate_stage(sums, operands));
    }

    void fit(Stage& stage, Function function) {
        if (examples_.empty()) {
            throw Error(ErrorCode::kInvalid,
                        "activation " + stage.activation.function + " after " + stage.name +
                            " needs calibration examples, got none",
                        "give some examples of the model's training data, or train with square");
        }
        double largest = 0;
        size_t count = 0;
        for (const auto& operands : examples_) {
            for (double x : operands.back()) largest = std::max(largest, std::abs(x));
            count += operands.back().size();
        }
        const size_t step = count / kMaxSamples + 1;
        std::vector<double> samples;
        size_t index = 0;
        for (const auto& operands : examples_) {
            for (double x : operands.back()) {
                if (index++ % step == 0) samples.push_back(x);
            }
        }
        stage.activation = internal::fit_activation(exact_function(function), samples,
                                                    std::max(largest, 1e-6) * options_.margin,
                                                    options_.activation_degree);
        stage.activation.function = function_name(function);
        stage.activation.slope *= options_.margin;
    }

    const model::Model& model_;
    const LowerOptions& options_;
    Shape shape_;
    Network network_;
    Stage stage_;
    std::optional<Affine> affine_;
    std::vector<Skip> skips_;
    bool has_blocks_ = false;
    // What each stage began with, for each example of the calibration.
    std::vector<std::vector<std::vector<double>>> examples_;
};

}  // namespace

Network lower(const model::Model& model, const LowerOptions& options) {
    if (options.activation_degree < 2 || options.activation_degree > 31 || !(options.margin >= 1)) {
        throw Error(ErrorCode::kInvalid, "activation_degree must be 2..31 and margin >= 1, got " +
                                             std::to_string(options.activation_degree) + " and " +
                                             std::to_string(options.margin));
    }
    model::validate(model.spec);
    if (model.spec.token_input) {
        throw Error(ErrorCode::kUnsupported, "networks on tokens have no encrypted form");
    }
    return Lowering(model, options).run();
}

}  // namespace ward::he
