#include "ward/attack/exact_extraction.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "ward/attack/internal/bends.h"
#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kRowsAtOnce = 1024;
constexpr double kSameNeuron = 1e-7;  // distance of a point to a known hyperplane, relative
constexpr double kFit = 1e-6;         // relative; of jumps that two measurements must agree on
constexpr double kPlane = 1e-4;       // relative; of the bend elsewhere on a hyperplane
constexpr double kRounding = 1e-13;   // relative; of outputs
constexpr double kFar = 4;            // places on a line from which a neuron is measured again
constexpr double kNearRange = 0.05;   // of the line on which it is
constexpr int kAttempts = 8;
constexpr int64_t kLinearPoints = 32;
constexpr double kLinear = 1e-9;  // relative; of what a linear function explains
constexpr double kNoRest = 1e-7;  // of the linear part, relative: nothing is left

struct BudgetSpent {};  // thrown where the next batch would go over the budget

at::Tensor normal(at::IntArrayRef shape, at::Generator& generator) {
    return at::randn(shape, generator, at::TensorOptions().dtype(at::kDouble));
}

struct Neuron {
    at::Tensor weight;  // {inputs}, of norm 1
    double bias = 0;
    at::Tensor out;  // {outputs}
};

class Extractor {
  public:
    Extractor(const ExactOracle& oracle, int64_t inputs, const ExactExtractionOptions& options)
        : oracle_(oracle),
          counted_([this](const at::Tensor& x) { return ask(x); }),
          inputs_(inputs),
          options_(options),
          generator_(at::detail::createCPUGenerator(options.seed)) {}

    ExactExtraction run() {
        const auto start = std::chrono::steady_clock::now();
        ExactExtraction result;
        try {
            find_neurons(result);
        } catch (const BudgetSpent&) {
            result.complete = false;
        }
        over_budget_is_fine_ = true;  // the last few queries make what was found usable
        if (neurons_.empty() && !copy_linear(result)) {
            throw Error(ErrorCode::kUnsupported,
                        "no neuron was found in " + std::to_string(queries_) + " queries",
                        "exact extraction needs a ReLU network with one hidden layer, outputs "
                        "that are not rounded, and a budget of at least some thousand queries");
        }
        if (!neurons_.empty()) assemble(result);
        result.queries = queries_;
        result.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        compare(result);
        return result;
    }

  private:
    at::Tensor call(const at::Tensor& x) const {
        std::vector<at::Tensor> parts;
        for (int64_t first = 0; first < x.size(0); first += kRowsAtOnce) {
            const int64_t rows = std::min(kRowsAtOnce, x.size(0) - first);
            at::Tensor y = oracle_(x.narrow(0, first, rows));
            if (!y.defined() || y.dim() != 2 || y.size(0) != rows || y.size(1) < 1) {
                throw Error(ErrorCode::kInvalid,
                            "the target does not return one row of outputs per query");
            }
            y = y.to(at::kCPU, at::kDouble);
            if (!at::isfinite(y).all().item<bool>()) {
                throw Error(ErrorCode::kInvalid, "the target returns values that are not finite",
                            "exact extraction needs real-valued outputs");
            }
            parts.push_back(y);
        }
        return at::cat(parts);
    }

    at::Tensor ask(const at::Tensor& x) {
        if (options_.most_queries > 0 && !over_budget_is_fine_ &&
            queries_ + x.size(0) > options_.most_queries)
            throw BudgetSpent();
        queries_ += x.size(0);
        return call(x);
    }

    // {outputs, inputs}: exact but for rounding, as f is linear near p.
    at::Tensor gradient(const at::Tensor& p, double step) {
        const at::Tensor origin = ask(p.unsqueeze(0));
        std::vector<at::Tensor> columns;
        for (int64_t first = 0; first < inputs_; first += kRowsAtOnce) {
            const int64_t rows = std::min(kRowsAtOnce, inputs_ - first);
            at::Tensor x = p.unsqueeze(0).repeat({rows, 1});
            x.diagonal(first).narrow(0, 0, rows).add_(step);
            // What was really added, after rounding of the sum.
            const at::Tensor moved =
                x.diagonal(first).narrow(0, 0, rows) - p.narrow(0, first, rows);
            columns.push_back((ask(x) - origin) / moved.unsqueeze(1));
        }
        return at::cat(columns).t().contiguous();
    }

    void find_neurons(ExactExtraction& result) {
        int64_t idle = 0;
        Progress progress("find neurons", 0, "neurons");
        while (idle < options_.idle_lines && result.lines < options_.most_lines) {
            const at::Tensor u = normal({inputs_}, generator_), v = normal({inputs_}, generator_);
            ++result.lines;
            bool all_known = true;
            for (const Bend& bend : bends_on_line(counted_, u, v, options_.range)) {
                if (is_known(u + bend.place * v)) continue;
                all_known = false;
                examine(u, v, bend);
                progress.update(static_cast<int64_t>(neurons_.size()));
            }
            idle = all_known ? idle + 1 : 0;
        }
        progress.finish();
    }

    bool is_known(const at::Tensor& x) const {
        const double size = 1 + x.norm().item<double>();
        return std::any_of(neurons_.begin(), neurons_.end(), [&](const Neuron& neuron) {
            return std::abs(neuron.weight.dot(x).item<double>() + neuron.bias) < kSameNeuron * size;
        });
    }

    bool is_known(const Neuron& candidate) const {
        return std::any_of(neurons_.begin(), neurons_.end(), [&](const Neuron& neuron) {
            const double cosine = neuron.weight.dot(candidate.weight).item<double>();
            return std::abs(cosine) > 1 - 1e-10 &&
                   std::abs(neuron.bias - std::copysign(candidate.bias, candidate.bias * cosine)) <
                       1e-5 * (1 + std::abs(neuron.bias));
        });
    }

    // The neuron that switches at this bend. Where the bend lies far out it is measured again near
    // the origin, as the offset has the absolute error of the point.
    void examine(const at::Tensor& u, const at::Tensor& v, const Bend& bend) {
        Neuron neuron;
        if (!measure(u, v, bend, neuron)) return;
        if (std::abs(bend.place) > kFar && !measure_nearer(neuron)) return;
        if (!is_known(neuron)) neurons_.push_back(neuron);
    }

    bool measure_nearer(Neuron& neuron) {
        const double length = std::sqrt(static_cast<double>(inputs_));
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            const at::Tensor p = normal({inputs_}, generator_);
            const double away = neuron.weight.dot(p).item<double>() + neuron.bias;
            const at::Tensor near = p - away * neuron.weight, direction = length * neuron.weight;
            for (const Bend& bend : bends_on_line(counted_, near, direction, kNearRange)) {
                Neuron better;
                if (!measure(near, direction, bend, better) ||
                    std::abs(better.weight.dot(neuron.weight).item<double>()) < 1 - 1e-6)
                    continue;
                neuron = better;
                return true;
            }
        }
        return false;
    }

    bool measure(const at::Tensor& u, const at::Tensor& v, const Bend& bend, Neuron& neuron) {
        const double reach = std::min(0.3 * bend.room, 0.05 * std::max(1.0, std::abs(bend.place)));
        for (const double share : {1.0, 0.1, 0.01})
            if (measure_within(u, v, bend, share * reach, neuron)) return true;
        return false;
    }

    bool measure_within(const at::Tensor& u, const at::Tensor& v, const Bend& bend, double reach,
                        Neuron& neuron) {
        const at::Tensor x = u + bend.place * v;
        const at::Tensor change =
            gradient(x + reach * v, 0.5 * reach) - gradient(x - reach * v, 0.5 * reach);
        const int64_t strongest = change.square().sum(1).argmax().item<int64_t>();
        const at::Tensor row = change[strongest];
        neuron.weight = row / row.norm();
        if (neuron.weight.dot(v).item<double>() < 0) neuron.weight = -neuron.weight;
        neuron.out = change.mv(neuron.weight);
        neuron.bias = -neuron.weight.dot(x).item<double>();
        // Another hyperplane in between would show in both of these.
        const at::Tensor jump = torch::tensor(bend.jump, at::kDouble);
        const double scale = jump.norm().item<double>();
        const bool same_jump = (change.mv(v) - jump).norm().item<double>() <= kFit * scale;
        const bool one_neuron = (change - neuron.out.outer(neuron.weight)).norm().item<double>() <=
                                kFit * change.norm().item<double>();
        return same_jump && one_neuron && is_one_plane(x, reach * v.norm().item<double>(), neuron);
    }

    // Two neurons that switch at nearly one point look like one there, but not beside it: elsewhere
    // on the hyperplane f must bend by just the neuron's outgoing weights.
    bool is_one_plane(const at::Tensor& x, double reach, const Neuron& neuron) {
        at::Tensor aside = normal({inputs_}, generator_);
        aside = aside - aside.dot(neuron.weight) * neuron.weight;
        const double norm = aside.norm().item<double>();
        if (norm > 0) aside = aside * (0.5 * reach / norm);
        const double step = 0.05 * reach;
        const at::Tensor center = x + aside, across = step * neuron.weight;
        const at::Tensor f = ask(at::stack({center - across, center, center + across}));
        const at::Tensor turn = f[2] + f[0] - 2 * f[1] - step * neuron.out;
        return turn.norm().item<double>() <= kPlane * step * neuron.out.norm().item<double>() +
                                                 kRounding * f.abs().max().item<double>();
    }

    at::Tensor weights() const {
        std::vector<at::Tensor> rows;
        for (const Neuron& neuron : neurons_) rows.push_back(neuron.weight);
        return at::stack(rows);
    }

    // Where nothing bends: whether f is one linear function near and far, and if so, that.
    bool copy_linear(ExactExtraction& result) {
        const auto options = at::TensorOptions().dtype(at::kDouble);
        const at::Tensor slope = gradient(torch::zeros({inputs_}, options), 1);
        const at::Tensor origin = ask(torch::zeros({1, inputs_}, options));
        for (const double distance : {1.0, options_.range}) {
            const at::Tensor x = normal({kLinearPoints, inputs_}, generator_) * distance;
            const at::Tensor y = ask(x), off = (x.mm(slope.t()) + origin - y).abs();
            if (!(off.max().item<double>() <= kLinear * y.abs().max().item<double>())) return false;
        }
        result.weight1 = torch::zeros({0, inputs_}, options);
        result.bias1 = torch::zeros({0}, options);
        result.weight2 = torch::zeros({slope.size(0), 0}, options);
        add_linear_part(result, slope);
        result.bias2 = torch::zeros({slope.size(0)}, options);
        fit_last_layer(result);
        return true;
    }

    void assemble(ExactExtraction& result) {
        const auto count = static_cast<int64_t>(neurons_.size());
        result.neurons = count;
        result.weight1 = weights();
        std::vector<double> offsets;
        std::vector<at::Tensor> out;
        for (const Neuron& neuron : neurons_) {
            offsets.push_back(neuron.bias);
            out.push_back(neuron.out);
        }
        result.bias1 = torch::tensor(offsets, at::kDouble);
        result.weight2 = at::stack(out, 1);
        at::Tensor rest = linear_rest(result);
        turn_neurons(result, rest);
        const double scale = result.weight2.abs().max().item<double>();
        if (rest.abs().max().item<double>() > kNoRest * scale) {
            add_linear_part(result, rest);
        }
        result.bias2 = torch::zeros({result.weight2.size(0)}, at::kDouble);
        fit_last_layer(result);
    }

    // {outputs, inputs}: the gradient of f minus that of the neurons, at a point away from their
    // hyperplanes.
    at::Tensor linear_rest(const ExactExtraction& result) {
        at::Tensor best, before;
        double farthest = -1;
        for (int i = 0; i < 32; ++i) {
            const at::Tensor p = normal({inputs_}, generator_);
            const at::Tensor z = result.weight1.mv(p) + result.bias1;
            const double distance = z.abs().min().item<double>();
            if (distance <= farthest) continue;
            farthest = distance;
            best = p;
            before = z;
        }
        const at::Tensor active = (before > 0).to(at::kDouble);
        return gradient(best, 0.5 * farthest) -
               (result.weight2 * active.unsqueeze(0)).mm(result.weight1);
    }

    // relu(-z) = relu(z) - z: a neuron of the other sign leaves -out * weight in the rest. Where
    // the weight vectors are independent their coefficients tell which ones.
    static void turn_neurons(ExactExtraction& result, at::Tensor& rest) {
        const int64_t count = result.weight1.size(0);
        if (count > result.weight1.size(1)) return;
        const at::Tensor coefficients =
            at::linalg_pinv(result.weight1.t(), 1e-12).mm(rest.t());  // {neurons, outputs}
        for (int64_t i = 0; i < count; ++i) {
            const at::Tensor out = result.weight2.select(1, i), left = coefficients[i];
            if (left.norm().item<double>() <= (left + out).norm().item<double>()) continue;
            rest = rest + out.outer(result.weight1[i]);
            result.weight1[i].neg_();
            result.bias1[i].neg_();
        }
    }

    // L x = relu(L x) - relu(-L x).
    static void add_linear_part(ExactExtraction& result, const at::Tensor& rest) {
        const int64_t outputs = rest.size(0);
        const auto options = at::TensorOptions().dtype(at::kDouble);
        const at::Tensor unit = at::eye(outputs, options);
        result.linear_part = true;
        result.weight1 = at::cat({result.weight1, rest, -rest});
        result.bias1 = at::cat({result.bias1, torch::zeros({2 * outputs}, at::kDouble)});
        result.weight2 = at::cat({result.weight2, unit, -unit}, 1);
    }

    // All outgoing weights at once from random points; what the bends gave is kept where it is the
    // better fit (it is, where the points do not tell neurons apart).
    void fit_last_layer(ExactExtraction& result) {
        const int64_t unknown = result.weight1.size(0) + 1;
        const at::Tensor x = normal({4 * unknown, inputs_}, generator_);
        const at::Tensor y = ask(x);
        const at::Tensor hidden = at::relu(at::addmm(result.bias1, x, result.weight1.t()));
        result.bias2 = (y - hidden.mm(result.weight2.t())).mean(0);
        const at::Tensor known_error =
            (hidden.mm(result.weight2.t()) + result.bias2 - y).abs().max();
        const at::Tensor design = at::cat({hidden, torch::ones({x.size(0), 1}, at::kDouble)}, 1);
        const at::Tensor fitted = at::linalg_pinv(design, 1e-13).mm(y);  // {unknown, outputs}
        const at::Tensor error = (design.mm(fitted) - y).abs().max();
        if (!(error.item<double>() < known_error.item<double>())) return;
        result.weight2 = fitted.narrow(0, 0, unknown - 1).t().contiguous();
        result.bias2 = fitted[unknown - 1].clone();
    }

    void compare(ExactExtraction& result) {
        double squares = 0;
        int64_t seen = 0;
        for (int64_t first = 0; first < options_.check_points; first += kRowsAtOnce) {
            const int64_t rows = std::min(kRowsAtOnce, options_.check_points - first);
            const at::Tensor x = normal({rows, inputs_}, generator_), y = call(x);
            result.max_error =
                std::max(result.max_error, (result(x) - y).abs().max().item<double>());
            squares += y.square().sum().item<double>();
            seen += y.numel();
        }
        result.output_scale = std::sqrt(squares / static_cast<double>(std::max<int64_t>(1, seen)));
    }

    const ExactOracle& oracle_;
    ExactOracle counted_;
    int64_t inputs_;
    ExactExtractionOptions options_;
    at::Generator generator_;
    std::vector<Neuron> neurons_;
    int64_t queries_ = 0;
    bool over_budget_is_fine_ = false;
};

void check_options(int64_t inputs, const ExactExtractionOptions& options) {
    if (inputs >= 1 && options.range >= 1 && std::isfinite(options.range) &&
        options.idle_lines >= 1 && options.most_lines >= 1 && options.most_queries >= 0 &&
        options.check_points >= 1)
        return;
    throw Error(ErrorCode::kUsage,
                "exact extraction needs inputs >= 1, a finite range >= 1, lines >= 1, queries >= 0 "
                "and check points >= 1");
}

at::Tensor weight_of(const model::Model& model, const std::string& name) {
    const model::Weight& weight = model.weights.at(name);
    return torch::tensor(weight.values).view(weight.shape).to(at::kDouble);
}

model::Weight to_weight(const at::Tensor& tensor) {
    const at::Tensor values = tensor.to(at::kFloat).contiguous();
    const float* first = values.data_ptr<float>();
    return {values.sizes().vec(), std::vector<float>(first, first + values.numel())};
}

}  // namespace

at::Tensor ExactExtraction::operator()(const at::Tensor& x) const {
    const at::Tensor hidden = at::relu(at::addmm(bias1, x.to(at::kDouble), weight1.t()));
    return at::addmm(bias2, hidden, weight2.t());
}

ExactExtraction extract_exactly(const ExactOracle& oracle, int64_t inputs,
                                const ExactExtractionOptions& options) {
    check_options(inputs, options);
    at::NoGradGuard no_grad;
    return Extractor(oracle, inputs, options).run();
}

ExactOracle exact_oracle(const model::Model& model) {
    struct Step {
        at::Tensor weight, bias;  // undefined: relu
    };
    auto steps = std::make_shared<std::vector<Step>>();
    for (const model::LayerSpec& layer : model.spec.layers) {
        if (std::holds_alternative<model::Flatten>(layer.kind)) continue;
        const auto* linear = std::get_if<model::Linear>(&layer.kind);
        const auto* activation = std::get_if<model::Activation>(&layer.kind);
        if (linear != nullptr && linear->tied_to.empty()) {
            const at::Tensor weight = weight_of(model, layer.name + ".weight");
            steps->push_back({weight, linear->bias ? weight_of(model, layer.name + ".bias")
                                                   : torch::zeros({weight.size(0)}, at::kDouble)});
        } else if (activation != nullptr &&
                   activation->function == model::Activation::Function::kRelu) {
            steps->push_back({});
        } else {
            throw Error(ErrorCode::kUnsupported,
                        "exact extraction takes flatten, linear and relu; layer " + layer.name +
                            " is another " + std::string(kind_name(layer.kind)),
                        "use --attack knockoff, which copies any classifier");
        }
    }
    return [steps](const at::Tensor& x) {
        at::Tensor value = x;
        for (const Step& step : *steps)
            value = step.weight.defined() ? at::addmm(step.bias, value, step.weight.t())
                                          : at::relu(value);
        return value;
    };
}

model::Model to_model(const ExactExtraction& extraction, const model::Shape& input_shape,
                      model::Task task) {
    model::Model model;
    model.spec.name = "extracted";
    model.spec.input_shape = input_shape;
    model.spec.task = task;
    model.spec.outputs = extraction.weight2.size(0);
    if (input_shape.size() > 1) model.spec.layers.push_back({"flatten", model::Flatten{}});
    model.spec.layers.push_back({"fc1", model::Linear{.out_features = extraction.weight1.size(0)}});
    model.spec.layers.push_back({"relu", model::Activation{}});
    model.spec.layers.push_back({"fc2", model::Linear{.out_features = model.spec.outputs}});
    model::validate(model.spec);
    model.weights = {{"fc1.weight", to_weight(extraction.weight1)},
                     {"fc1.bias", to_weight(extraction.bias1)},
                     {"fc2.weight", to_weight(extraction.weight2)},
                     {"fc2.bias", to_weight(extraction.bias2)}};
    return model;
}

}  // namespace ward::attack
