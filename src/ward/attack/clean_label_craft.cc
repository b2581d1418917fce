#include "ward/attack/internal/clean_label_craft.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "ward/attack/internal/leaf_gradients.h"
#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kCollisionSteps = 1000, kMatchingSteps = 250, kSleeperRetrainings = 4;
constexpr double kFirstStep = 0.01;  // of forward-backward splitting; it follows the objective
constexpr double kGrowth = 1.05, kShrink = 0.5;

std::vector<int64_t> batch_shape(const data::Dataset& data, int64_t rows) {
    std::vector<int64_t> shape = data.example_shape;
    shape.insert(shape.begin(), rows);
    return shape;
}

at::Tensor clipped(const at::Tensor& x, const InputBox& box) {
    return at::minimum(at::maximum(x, box.lower), box.upper);
}

at::Tensor feature_distances(const nn::Network& features, const at::Tensor& x,
                             const at::Tensor& wanted) {
    return (features.forward(x) - wanted).square().flatten(1).sum(1);
}

// The gradient of the examples that are to be mistaken, per surrogate.
std::vector<std::vector<at::Tensor>> wanted_gradients(const std::vector<nn::Network>& surrogates,
                                                      const MatchingProblem& problem) {
    std::vector<std::vector<at::Tensor>> all;
    for (const nn::Network& network : surrogates) {
        const Leaves leaves(network);
        const at::Tensor labels = one_hot_rows(problem.wanted_labels, network.spec().outputs);
        all.push_back(leaf_gradient(network, leaves, problem.wanted_x, labels, false));
    }
    return all;
}

struct Slope {
    double loss = 0;
    at::Tensor slope;
};

Slope matching_slope(const std::vector<nn::Network>& surrogates,
                     const std::vector<std::vector<at::Tensor>>& wanted, const at::Tensor& x,
                     const at::Tensor& labels) {
    Slope result;
    const auto share = 1 / static_cast<double>(surrogates.size());
    for (size_t i = 0; i < surrogates.size(); ++i) {
        const Leaves leaves(surrogates[i]);
        const at::Tensor leaf = x.detach().clone().set_requires_grad(true);
        const at::Tensor soft = one_hot_rows(labels, surrogates[i].spec().outputs);
        const at::Tensor distance =
            cosine_distance(leaf_gradient(surrogates[i], leaves, leaf, soft, true), wanted[i]);
        const at::Tensor slope = torch::autograd::grad({distance}, {leaf})[0] * share;
        result.slope = result.slope.defined() ? result.slope + slope : slope;
        result.loss += share * distance.item<double>();
    }
    return result;
}

}  // namespace

InputBox box_of(const data::Dataset& data) {
    const at::Tensor all =
        torch::from_blob(const_cast<float*>(data.inputs.data()), batch_shape(data, data.size()));
    if (data.example_shape.size() != 3) return {all.min().view({1}), all.max().view({1})};
    const std::vector<int64_t> rest = {0, 2, 3};
    return {all.amin(rest).view({-1, 1, 1}), all.amax(rest).view({-1, 1, 1})};
}

at::Tensor take_rows(const data::Dataset& data, const std::vector<int64_t>& rows) {
    const at::Tensor all =
        torch::from_blob(const_cast<float*>(data.inputs.data()), batch_shape(data, data.size()));
    return all.index_select(0, at::tensor(rows, at::kLong));
}

void put_rows(data::Dataset& data, const std::vector<int64_t>& rows, const at::Tensor& x) {
    const at::Tensor flat = x.detach().contiguous();
    const float* values = flat.data_ptr<float>();
    const int64_t size = data.example_size();
    for (size_t i = 0; i < rows.size(); ++i) {
        std::copy_n(values + static_cast<int64_t>(i) * size, size,
                    data.inputs.begin() + rows[i] * size);
    }
    data.digest.clear();
}

std::vector<int64_t> rows_of_class(const data::Dataset& data, int64_t label) {
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < data.size(); ++i)
        if (data.labels[i] == label) rows.push_back(i);
    return rows;
}

nn::Network feature_extractor(const model::Model& model) {
    model::Model cut = model;
    const bool linear = !cut.spec.layers.empty() &&
                        std::holds_alternative<model::Linear>(cut.spec.layers.back().kind);
    if (!linear || cut.spec.layers.size() < 2) {
        throw Error(ErrorCode::kUnsupported,
                    "feature collision needs a network that ends in a linear layer behind others",
                    "use a cnn or an mlp");
    }
    const std::string last = cut.spec.layers.back().name + ".";
    cut.spec.layers.pop_back();
    model::Shape shape = cut.spec.input_shape;
    for (const model::LayerSpec& layer : cut.spec.layers) shape = model::output_shape(layer, shape);
    cut.spec.outputs = model::element_count(shape);
    std::erase_if(cut.weights, [&](const auto& weight) { return weight.first.starts_with(last); });
    nn::Network network(cut);
    network.set_training(false);
    return network;
}

Crafted collide_features(const nn::Network& features, const at::Tensor& bases,
                         const at::Tensor& target, const InputBox& box,
                         const CleanLabelOptions& options) {
    const int64_t steps = options.steps > 0 ? options.steps : kCollisionSteps;
    const at::Tensor wanted = features.forward(target).detach();
    const at::Tensor begin = feature_distances(features, bases, wanted).detach().clamp_min(1e-12);
    std::vector<int64_t> per_row(bases.dim(), 1);
    per_row[0] = bases.size(0);
    // Features relative to where they begin, inputs in widths of the box: one beta fits all.
    const double similarity = options.similarity;
    at::Tensor x = bases.clone();
    at::Tensor rate = torch::full(per_row, kFirstStep);
    at::Tensor best = torch::full({bases.size(0)}, std::numeric_limits<float>::infinity());
    const at::Tensor scale = box.width().max().square();
    Progress progress("collide features", steps, "steps");
    for (int64_t step = 0; step < steps; ++step) {
        at::Tensor leaf = x.detach().clone().set_requires_grad(true);
        const at::Tensor distance = feature_distances(features, leaf, wanted) / begin;
        const at::Tensor slope = torch::autograd::grad({distance.sum()}, {leaf})[0];
        const at::Tensor weight = 2 * rate * similarity;
        // Forward: against the slope of the features. Backward: the proximal step to the base.
        const at::Tensor next =
            clipped((x - rate * slope * scale + weight * bases) / (1 + weight), box).detach();
        at::NoGradGuard no_grad;
        const at::Tensor objective = feature_distances(features, next, wanted) / begin +
                                     similarity * (next - bases).square().flatten(1).sum(1) / scale;
        const at::Tensor better = objective < best;
        best = at::where(better, objective, best);
        x = at::where(better.view(per_row), next, x);
        rate = rate *
               at::where(better, torch::full({}, kGrowth), torch::full({}, kShrink)).view(per_row);
        progress.update(step + 1);
    }
    at::NoGradGuard no_grad;
    return {x, (feature_distances(features, x, wanted) / begin).mean().item<double>()};
}

int64_t retrainings_of(const CleanLabelOptions& options) {
    if (options.retrainings >= 0) return options.retrainings;
    return options.attack == "sleeper" ? kSleeperRetrainings : 0;
}

Crafted match_gradients(const MatchingProblem& problem, std::vector<nn::Network> surrogates,
                        const CleanLabelOptions& options) {
    const TwiceDifferentiable products;
    const int64_t steps = options.steps > 0 ? options.steps : kMatchingSteps;
    const int64_t rounds = retrainings_of(options) + 1;
    const int64_t restarts = options.restarts > 0 ? options.restarts : rounds > 1 ? 1 : 4;
    const at::Tensor reach = options.epsilon * problem.box.width();
    Crafted best{problem.bases, std::numeric_limits<double>::infinity()};
    for (int64_t restart = 0; restart < restarts; ++restart) {
        at::Generator generator =
            at::detail::createCPUGenerator(options.seed + 1000003 * static_cast<uint64_t>(restart));
        at::Tensor x =
            clipped(problem.bases + reach * (2 * at::rand(problem.bases.sizes(), generator) - 1),
                    problem.box);
        SignedAdam adam(options.step_size, steps);
        auto wanted = wanted_gradients(surrogates, problem);
        int64_t round = 0;
        Crafted found{x, std::numeric_limits<double>::infinity()};
        Progress progress("match gradients", steps, "steps");
        for (int64_t step = 0; step < steps; ++step) {
            if (step * rounds / steps > round) {  // the surrogates have learned the poisons
                ++round;
                surrogates = problem.train(x, options.seed + 7919 * static_cast<uint64_t>(round));
                wanted = wanted_gradients(surrogates, problem);
                found.loss = std::numeric_limits<double>::infinity();
            }
            const Slope at = matching_slope(surrogates, wanted, x, problem.labels);
            if (at.loss < found.loss) found = {x, at.loss};
            const at::Tensor moved = x - reach * adam.move(at.slope);
            x = clipped(
                at::minimum(at::maximum(moved, problem.bases - reach), problem.bases + reach),
                problem.box);
            progress.update(step + 1);
        }
        if (found.loss < best.loss) best = found;
    }
    return best;
}

std::vector<int64_t> largest_gradients(const nn::Network& network, const data::Dataset& data,
                                       const std::vector<int64_t>& rows, int64_t count) {
    const Leaves leaves(network);
    std::vector<double> norms;
    for (const int64_t row : rows) {
        const at::Tensor label = at::tensor({data.labels[row]}, at::kLong);
        double squares = 0;
        for (const at::Tensor& tensor :
             leaf_gradient(network, leaves, take_rows(data, {row}),
                           one_hot_rows(label, network.spec().outputs), false))
            squares += tensor.square().sum().item<double>();
        norms.push_back(squares);
    }
    std::vector<size_t> order(rows.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return norms[a] > norms[b]; });
    std::vector<int64_t> chosen;
    for (int64_t i = 0; i < std::min<int64_t>(count, std::ssize(rows)); ++i)
        chosen.push_back(rows[order[i]]);
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

}  // namespace ward::attack
