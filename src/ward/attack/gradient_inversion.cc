#include "ward/attack/gradient_inversion.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>
#include <variant>

#include "ward/attack/internal/lbfgs.h"
#include "ward/attack/internal/leaf_gradients.h"
#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kLbfgsSteps = 300, kAdamSteps = 12000;
constexpr int64_t kMostExamples = 16;  // of a batch: assignments are sought among all

std::vector<at::Tensor> defined_ones(const std::vector<at::Tensor>& gradient) {
    std::vector<at::Tensor> result;
    for (const at::Tensor& tensor : gradient)
        if (tensor.defined()) result.push_back(tensor.detach());
    return result;
}

// Mean absolute difference of neighbours; nothing where the input is no image.
at::Tensor total_variation(const at::Tensor& x) {
    if (x.dim() != 4) return torch::zeros({});
    const int64_t h = x.size(2), w = x.size(3);
    return (x.narrow(2, 1, h - 1) - x.narrow(2, 0, h - 1)).abs().mean() +
           (x.narrow(3, 1, w - 1) - x.narrow(3, 0, w - 1)).abs().mean();
}

at::Tensor start_at(const nn::Network& network, const LeakOptions& options, int64_t count,
                    int64_t restart) {
    std::vector<int64_t> shape = network.spec().input_shape;
    shape.insert(shape.begin(), count);
    at::Generator generator =
        at::detail::createCPUGenerator(options.seed + 1000003 * static_cast<uint64_t>(restart));
    const double middle = 0.5 * (options.lower + options.upper);
    const double spread = 0.5 * (options.upper - options.lower);
    return middle + spread * at::randn(shape, generator);
}

struct Attempt {
    at::Tensor x;  // {n, ...}
    std::vector<int64_t> labels;
    double distance;
};

// dlg guesses the labels along; idlg and others know them.
Attempt by_lbfgs(const nn::Network& network, const std::vector<at::Tensor>& wanted,
                 const std::vector<int64_t>& labels, const LeakOptions& options, int64_t restart) {
    const Leaves leaves(network);
    const int64_t classes = network.spec().outputs;
    const bool guess_label = options.attack == "dlg";
    const at::Tensor start = start_at(network, options, std::ssize(labels), restart);
    const int64_t inputs = start.numel(), scores = std::ssize(labels) * classes;
    const at::Tensor known = one_hot_rows(at::tensor(labels, at::kLong), classes);
    const auto scores_of = [&](const at::Tensor& flat) {
        return flat.narrow(0, inputs, scores).view({-1, classes});
    };
    const auto distance_at = [&](const at::Tensor& flat) {
        const at::Tensor leaf = flat.to(at::kFloat).detach().requires_grad_(true);
        const at::Tensor target = guess_label ? at::softmax(scores_of(leaf), 1) : known;
        const at::Tensor x = leaf.narrow(0, 0, inputs).view(start.sizes());
        const at::Tensor distance =
            squared_distance(leaf_gradient(network, leaves, x, target, true), wanted);
        const at::Tensor slope = torch::autograd::grad({distance}, {leaf})[0];
        return Lbfgs::Value{distance.item<double>(), slope.detach().to(at::kDouble)};
    };
    at::Tensor variables = start.flatten().to(at::kDouble);
    // Equal scores would keep the examples of a batch alike in their labels: they begin apart.
    const at::Tensor apart = std::ssize(labels) > 1 ? 0.1 * known.flatten().to(at::kDouble)
                                                    : torch::zeros({scores}, at::kDouble);
    if (guess_label) variables = at::cat({variables, apart});
    Lbfgs search(distance_at, variables);
    const int64_t steps = options.steps > 0 ? options.steps : kLbfgsSteps;
    Progress progress("match the gradient", steps, "steps");
    for (int64_t step = 0; step < steps && search.step(); ++step) progress.update(step + 1);
    const at::Tensor x = search.x().narrow(0, 0, inputs).to(at::kFloat).view(start.sizes());
    std::vector<int64_t> found = labels;
    for (size_t i = 0; guess_label && i < found.size(); ++i)
        found[i] = scores_of(search.x())[static_cast<int64_t>(i)].argmax().item<int64_t>();
    return {x, found, search.value()};
}

// Adam on the sign of the slope, projected on the box, with a step that falls thrice.
Attempt by_signed_adam(const nn::Network& network, const std::vector<at::Tensor>& wanted,
                       const std::vector<int64_t>& labels, const LeakOptions& options,
                       int64_t restart) {
    const Leaves leaves(network);
    const at::Tensor known = one_hot_rows(at::tensor(labels, at::kLong), network.spec().outputs);
    at::Tensor x =
        start_at(network, options, std::ssize(labels), restart).clamp(options.lower, options.upper);
    Attempt best{x.clone(), labels, std::numeric_limits<double>::infinity()};
    const int64_t steps = options.steps > 0 ? options.steps : kAdamSteps;
    SignedAdam adam(options.step_size * (options.upper - options.lower), steps);
    Progress progress("match the gradient", steps, "steps");
    for (int64_t step = 0; step < steps; ++step) {
        at::Tensor leaf = x.detach().clone().set_requires_grad(true);
        const at::Tensor distance =
            cosine_distance(leaf_gradient(network, leaves, leaf, known, true), wanted);
        const at::Tensor loss = distance + options.total_variation * total_variation(leaf);
        const at::Tensor slope = torch::autograd::grad({loss}, {leaf})[0];
        const double value = loss.item<double>();
        if (value < best.distance) best = {x.clone(), labels, value};
        x = (x - adam.move(slope)).clamp(options.lower, options.upper);
        progress.update(step + 1);
    }
    return best;
}

// dW = db x^T: any row with a large bias gradient gives the input.
Attempt by_division(const nn::Network& network, const std::vector<at::Tensor>& gradient,
                    const std::vector<int64_t>& labels) {
    const auto& layers = network.spec().layers;
    size_t first = 0;
    while (first < layers.size() && std::holds_alternative<model::Flatten>(layers[first].kind))
        ++first;
    const auto* linear =
        first < layers.size() ? std::get_if<model::Linear>(&layers[first].kind) : nullptr;
    if (linear == nullptr || !linear->bias || layers[first].frozen || gradient.size() < 2 ||
        network.spec().token_input) {
        throw Error(ErrorCode::kUnsupported,
                    "analytic inversion needs a first layer that is linear with a bias",
                    "use inverting-gradients");
    }
    const at::Tensor weight = gradient[0].to(at::kDouble), bias = gradient[1].to(at::kDouble);
    const int64_t row = bias.abs().argmax().item<int64_t>();
    if (bias[row].item<double>() == 0)
        throw Error(ErrorCode::kInvalid, "all bias gradients of the first layer are zero");
    std::vector<int64_t> shape = network.spec().input_shape;
    shape.insert(shape.begin(), 1);
    return {(weight[row] / bias[row]).to(at::kFloat).view(shape), labels, 0};
}

void check(const nn::Network& network, const std::vector<at::Tensor>& gradient,
           const LeakOptions& options) {
    const auto names = gradient_inversion_names();
    if (std::find(names.begin(), names.end(), options.attack) == names.end()) {
        std::string known;
        for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
        throw Error(ErrorCode::kUsage, "there is no gradient inversion " + options.attack,
                    "known ones: " + known);
    }
    if (!(options.lower < options.upper) || options.steps < 0 || options.restarts < 1 ||
        !(options.step_size > 0) || !(options.total_variation >= 0)) {
        throw Error(
            ErrorCode::kUsage,
            "gradient inversion needs lower < upper, steps >= 0, restarts >= 1, a step size "
            "> 0 and a weight >= 0");
    }
    const auto& parameters = network.parameters();
    bool fits = gradient.size() == parameters.size();
    for (size_t i = 0; fits && i < gradient.size(); ++i) {
        fits = gradient[i].defined() == parameters[i].trainable &&
               (!gradient[i].defined() || (gradient[i].sizes() == parameters[i].value.sizes() &&
                                           at::isfinite(gradient[i]).all().item<bool>()));
    }
    if (!fits) {
        throw Error(ErrorCode::kInvalid, "the gradient is not one of this network",
                    "give one finite tensor per trainable parameter");
    }
}

}  // namespace

std::vector<std::string> gradient_inversion_names() {
    return {"inverting-gradients", "dlg", "idlg", "analytic"};
}

std::vector<at::Tensor> example_gradient(const nn::Network& network, const at::Tensor& x,
                                         int64_t label) {
    return batch_gradient(network, x.unsqueeze(0), {label});
}

std::vector<at::Tensor> batch_gradient(const nn::Network& network, const at::Tensor& x,
                                       const std::vector<int64_t>& labels) {
    for (const int64_t label : labels) {
        if (label >= 0 && label < network.spec().outputs) continue;
        throw Error(ErrorCode::kInvalid, "label " + std::to_string(label) + " is none of the " +
                                             std::to_string(network.spec().outputs) + " classes");
    }
    if (labels.empty() || x.size(0) != std::ssize(labels))
        throw Error(ErrorCode::kInvalid, "a batch has one label for each of its examples");
    const Leaves leaves(network);
    const at::Tensor soft = one_hot_rows(at::tensor(labels, at::kLong), network.spec().outputs);
    const auto values = leaf_gradient(network, leaves, x, soft, false);
    std::vector<at::Tensor> gradient;
    size_t next = 0;
    for (const nn::Parameter& parameter : network.parameters())
        gradient.push_back(parameter.trainable ? values[next++].detach() : at::Tensor());
    return gradient;
}

int64_t label_of_gradient(const nn::Network& network, const std::vector<at::Tensor>& gradient) {
    if (gradient.empty() || !gradient.back().defined() || gradient.back().dim() != 1 ||
        gradient.back().size(0) != network.spec().outputs) {
        throw Error(ErrorCode::kUnsupported,
                    "the label is read off the bias of a linear last layer, there is none",
                    "use dlg, which guesses the label along");
    }
    return gradient.back().argmin().item<int64_t>();
}

std::vector<int64_t> labels_of_gradient(const nn::Network& network,
                                        const std::vector<at::Tensor>& gradient, int64_t count) {
    const int64_t classes = network.spec().outputs;
    if (count == 1) return {label_of_gradient(network, gradient)};
    if (count < 1 || count > classes) {
        throw Error(ErrorCode::kUsage, "labels that differ are between 1 and " +
                                           std::to_string(classes) + ", got " +
                                           std::to_string(count));
    }
    (void)label_of_gradient(network, gradient);  // there is a bias to read
    at::Tensor least = gradient.back();
    const at::Tensor weight = gradient.size() > 1 ? gradient[gradient.size() - 2] : at::Tensor();
    if (weight.defined() && weight.dim() == 2 && weight.size(0) == classes)
        least = at::minimum(least, weight.amin(1));
    const at::Tensor order = least.argsort();
    std::vector<int64_t> labels;
    for (int64_t i = 0; i < count; ++i) labels.push_back(order[i].item<int64_t>());
    std::sort(labels.begin(), labels.end());
    return labels;
}

std::vector<int64_t> assign_examples(const at::Tensor& found, const at::Tensor& originals) {
    const int64_t n = originals.size(0);
    if (n < 1 || n > kMostExamples || found.sizes() != originals.sizes())
        throw Error(ErrorCode::kInvalid, "examples are assigned to as many others of their shape");
    const at::Tensor costs = (found.unsqueeze(0) - originals.unsqueeze(1))
                                 .to(at::kDouble)
                                 .square()
                                 .flatten(2)
                                 .sum(2)
                                 .contiguous();
    const double* cost = costs.data_ptr<double>();  // [original][found]
    // Least cost of giving the first originals those of `found` in a set, over all sets.
    const size_t sets = size_t{1} << n;
    std::vector<double> least(sets, std::numeric_limits<double>::infinity());
    std::vector<int8_t> last(sets, 0);
    least[0] = 0;
    for (size_t set = 0; set + 1 < sets; ++set) {
        const int64_t row = std::popcount(set);
        for (int64_t j = 0; j < n; ++j) {
            const size_t with = set | size_t{1} << j;
            if (with == set || least[set] + cost[row * n + j] >= least[with]) continue;
            least[with] = least[set] + cost[row * n + j];
            last[with] = static_cast<int8_t>(j);
        }
    }
    std::vector<int64_t> assigned(static_cast<size_t>(n));
    for (size_t set = sets - 1; set != 0; set ^= size_t{1} << last[set])
        assigned[static_cast<size_t>(std::popcount(set)) - 1] = last[set];
    return assigned;
}

LeakedExample invert_gradient(const nn::Network& network, const std::vector<at::Tensor>& gradient,
                              const LeakOptions& options) {
    const LeakedBatch leaked = invert_batch_gradient(network, gradient, 1, options);
    return {leaked.x[0], leaked.labels[0], leaked.distance, leaked.seconds};
}

LeakedBatch invert_batch_gradient(const nn::Network& network,
                                  const std::vector<at::Tensor>& gradient, int64_t count,
                                  const LeakOptions& options) {
    check(network, gradient, options);
    if (count < 1 || count > kMostExamples) {
        throw Error(ErrorCode::kUsage, "batches have 1 to " + std::to_string(kMostExamples) +
                                           " examples, got " + std::to_string(count));
    }
    if (count > 1 && options.attack == "analytic") {
        throw Error(ErrorCode::kUnsupported, "analytic inversion takes one example apart, not many",
                    "use inverting-gradients");
    }
    const auto start = std::chrono::steady_clock::now();
    const TwiceDifferentiable products;
    const std::vector<at::Tensor> wanted = defined_ones(gradient);
    // dlg begins with any labels that differ.
    std::vector<int64_t> labels(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) labels[i] = i % network.spec().outputs;
    if (options.attack != "dlg") labels = labels_of_gradient(network, gradient, count);
    Attempt best{{}, labels, std::numeric_limits<double>::infinity()};
    if (options.attack == "analytic") best = by_division(network, gradient, labels);
    for (int64_t restart = 0; options.attack != "analytic" && restart < options.restarts;
         ++restart) {
        const Attempt attempt = options.attack == "inverting-gradients"
                                    ? by_signed_adam(network, wanted, labels, options, restart)
                                    : by_lbfgs(network, wanted, labels, options, restart);
        if (!best.x.defined() || attempt.distance < best.distance) best = attempt;
    }
    return {best.x.detach().clamp(options.lower, options.upper), best.labels, best.distance,
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
}

std::vector<at::Tensor> privatised(const std::vector<at::Tensor>& gradient, double clipping_norm,
                                   double noise_multiplier, Random& random) {
    double squares = 0;
    for (const at::Tensor& tensor : gradient)
        if (tensor.defined()) squares += tensor.to(at::kDouble).square().sum().item<double>();
    const double factor = std::min(1.0, clipping_norm / std::max(std::sqrt(squares), 1e-300));
    at::Generator generator = at::detail::createCPUGenerator(random.next_u64());
    std::vector<at::Tensor> result;
    for (const at::Tensor& tensor : gradient) {
        result.push_back(!tensor.defined()
                             ? at::Tensor()
                             : tensor * factor + clipping_norm * noise_multiplier *
                                                     at::randn(tensor.sizes(), generator));
    }
    return result;
}

double psnr(const at::Tensor& a, const at::Tensor& b, double width) {
    const double error = (a.to(at::kDouble) - b.to(at::kDouble)).square().mean().item<double>();
    return 10 * std::log10(width * width / std::max(error, 1e-30));
}

model::ModelSpec leakage_lenet(const model::Shape& input_shape, int64_t classes) {
    model::ModelSpec spec;
    spec.name = "leakage-lenet";
    spec.input_shape = input_shape;
    spec.outputs = classes;
    const model::Activation sigmoid{model::Activation::Function::kSigmoid};
    for (int i = 1; i <= 4; ++i) {
        const std::string number = std::to_string(i);
        spec.layers.emplace_back("conv" + number, model::Conv2d{12, 5, i <= 2 ? 2 : 1, 2, 1, true});
        spec.layers.emplace_back("act" + number, sigmoid);
    }
    spec.layers.emplace_back("flatten", model::Flatten{});
    spec.layers.emplace_back("output", model::Linear{classes, true, ""});
    model::validate(spec);
    return spec;
}

nn::Network untrained_lenet(const model::Shape& input_shape, int64_t classes, uint64_t seed) {
    nn::Network network(leakage_lenet(input_shape, classes), seed);
    at::Generator generator = at::detail::createCPUGenerator(seed);
    at::NoGradGuard no_grad;
    for (nn::Parameter& parameter : network.parameters())
        parameter.value.copy_(at::rand(parameter.value.sizes(), generator) - 0.5);
    return network;
}

}  // namespace ward::attack
