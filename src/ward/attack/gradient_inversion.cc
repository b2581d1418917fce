#include "ward/attack/gradient_inversion.h"

#include <algorithm>
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

constexpr int64_t kLbfgsSteps = 300, kAdamSteps = 4800;

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

at::Tensor one_hot(int64_t label, int64_t classes) {
    at::Tensor result = torch::zeros({1, classes});
    result[0][label] = 1;
    return result;
}

at::Tensor start_at(const nn::Network& network, const LeakOptions& options, int64_t restart) {
    std::vector<int64_t> shape = network.spec().input_shape;
    shape.insert(shape.begin(), 1);
    at::Generator generator =
        at::detail::createCPUGenerator(options.seed + 1000003 * static_cast<uint64_t>(restart));
    const double middle = 0.5 * (options.lower + options.upper);
    const double spread = 0.5 * (options.upper - options.lower);
    return middle + spread * at::randn(shape, generator);
}

struct Attempt {
    at::Tensor x;
    int64_t label;
    double distance;
};

// dlg guesses the label along; idlg and others know it.
Attempt by_lbfgs(const nn::Network& network, const std::vector<at::Tensor>& wanted, int64_t label,
                 const LeakOptions& options, int64_t restart) {
    const Leaves leaves(network);
    const int64_t classes = network.spec().outputs;
    const bool guess_label = options.attack == "dlg";
    const at::Tensor start = start_at(network, options, restart);
    const int64_t inputs = start.numel();
    const at::Tensor known = guess_label ? at::Tensor() : one_hot(label, classes);
    const auto distance_at = [&](const at::Tensor& flat) {
        const at::Tensor leaf = flat.to(at::kFloat).detach().requires_grad_(true);
        const at::Tensor target =
            guess_label ? at::softmax(leaf.narrow(0, inputs, classes), 0).unsqueeze(0) : known;
        const at::Tensor x = leaf.narrow(0, 0, inputs).view(start.sizes());
        const at::Tensor distance =
            squared_distance(leaf_gradient(network, leaves, x, target, true), wanted);
        const at::Tensor slope = torch::autograd::grad({distance}, {leaf})[0];
        return Lbfgs::Value{distance.item<double>(), slope.detach().to(at::kDouble)};
    };
    at::Tensor variables = start.flatten().to(at::kDouble);
    if (guess_label) variables = at::cat({variables, torch::zeros({classes}, at::kDouble)});
    Lbfgs search(distance_at, variables);
    const int64_t steps = options.steps > 0 ? options.steps : kLbfgsSteps;
    Progress progress("match the gradient", steps, "steps");
    for (int64_t step = 0; step < steps && search.step(); ++step) progress.update(step + 1);
    const at::Tensor x = search.x().narrow(0, 0, inputs).to(at::kFloat).view(start.sizes());
    const int64_t found =
        guess_label ? search.x().narrow(0, inputs, classes).argmax().item<int64_t>() : label;
    return {x, found, search.value()};
}

// Adam on the sign of the slope, projected on the box, with a step that falls thrice.
Attempt by_signed_adam(const nn::Network& network, const std::vector<at::Tensor>& wanted,
                       int64_t label, const LeakOptions& options, int64_t restart) {
    const Leaves leaves(network);
    const at::Tensor known = one_hot(label, network.spec().outputs);
    at::Tensor x = start_at(network, options, restart).clamp(options.lower, options.upper);
    Attempt best{x.clone(), label, std::numeric_limits<double>::infinity()};
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
        if (value < best.distance) best = {x.clone(), label, value};
        x = (x - adam.move(slope)).clamp(options.lower, options.upper);
        progress.update(step + 1);
    }
    return best;
}

// dW = db x^T: any row with a large bias gradient gives the input.
Attempt by_division(const nn::Network& network, const std::vector<at::Tensor>& gradient,
                    int64_t label) {
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
    return {(weight[row] / bias[row]).to(at::kFloat).view(shape), label, 0};
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
    if (label < 0 || label >= network.spec().outputs) {
        throw Error(ErrorCode::kInvalid, "label " + std::to_string(label) + " is none of the " +
                                             std::to_string(network.spec().outputs) + " classes");
    }
    const Leaves leaves(network);
    const auto values = leaf_gradient(network, leaves, x.unsqueeze(0),
                                      one_hot(label, network.spec().outputs), false);
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

LeakedExample invert_gradient(const nn::Network& network, const std::vector<at::Tensor>& gradient,
                              const LeakOptions& options) {
    check(network, gradient, options);
    const auto start = std::chrono::steady_clock::now();
    const TwiceDifferentiable products;
    const std::vector<at::Tensor> wanted = defined_ones(gradient);
    const int64_t label = options.attack == "dlg" ? 0 : label_of_gradient(network, gradient);
    Attempt best{{}, label, std::numeric_limits<double>::infinity()};
    if (options.attack == "analytic") best = by_division(network, gradient, label);
    for (int64_t restart = 0; options.attack != "analytic" && restart < options.restarts;
         ++restart) {
        const Attempt attempt = options.attack == "inverting-gradients"
                                    ? by_signed_adam(network, wanted, label, options, restart)
                                    : by_lbfgs(network, wanted, label, options, restart);
        if (!best.x.defined() || attempt.distance < best.distance) best = attempt;
    }
    return {best.x.detach()[0].clamp(options.lower, options.upper), best.label, best.distance,
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
