#include "ward/nn/private_gradients.h"

#include <algorithm>
#include <map>
#include <utility>

#include "ward/core/error.h"
#include "ward/nn/internal/gradient_rule.h"
#include "ward/nn/kernels.h"
#include "ward/nn/network.h"
#include "ward/nn/tape.h"
#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

using Form = ParameterUse::Form;

// Kept per-example gradients may take this part of what the tape holds anyway, so that memory stays
// near that of an ordinary training step.
constexpr double kKeptMemoryShare = 0.15;

std::string layer_path(const std::string& parameter) {
    return parameter.substr(0, parameter.rfind('.'));
}

int key_of(const ParameterUse& use) { return use.weight >= 0 ? use.weight : use.bias; }

int64_t bytes_of(const at::Tensor& t) { return t.defined() ? static_cast<int64_t>(t.nbytes()) : 0; }

// Uses of one weight with different biases (tied layers): each bias becomes a use of its own.
void split_biases(std::map<int, std::vector<ParameterUse>>& by_parameter) {
    std::vector<ParameterUse> biases;
    for (auto& [index, uses] : by_parameter) {
        const int first = uses.front().bias;
        if (std::all_of(uses.begin(), uses.end(),
                        [&](const ParameterUse& use) { return use.bias == first; }))
            continue;
        for (ParameterUse& use : uses) {
            if (use.bias < 0) continue;
            biases.push_back(use);
            biases.back().weight = -1;
            use.bias = -1;
        }
    }
    for (ParameterUse& bias : biases) by_parameter[bias.bias].push_back(std::move(bias));
}

std::vector<ParameterUse> take_form(std::vector<ParameterUse>& uses, Form form) {
    std::vector<ParameterUse> chosen, rest;
    for (ParameterUse& use : uses) (use.form == form ? chosen : rest).push_back(std::move(use));
    uses = std::move(rest);
    return chosen;
}

std::unique_ptr<GradientRule> make_rule(std::vector<ParameterUse> uses, const at::Tensor& parameter,
                                        const RuleContext& context) {
    std::vector<ParameterUse> embeddings = take_form(uses, Form::kEmbedding);
    std::vector<ParameterUse> linears = take_form(uses, Form::kLinear);
    if (!embeddings.empty())
        return make_embedding_rule(std::move(embeddings), std::move(linears), parameter, context);
    if (!linears.empty()) return make_linear_rule(std::move(linears), context);
    if (uses.front().form == Form::kConv)
        return make_conv_rule(std::move(uses.front()), parameter, context);
    return make_direct_rule(std::move(uses), parameter, context);
}

}  // namespace

void accumulate(std::vector<at::Tensor>& sums, int index, const at::Tensor& value) {
    if (sums[index].defined()) {
        sums[index].add_(value);
    } else {
        sums[index] = value;
    }
}

PrivateGradients::PrivateGradients(const Network& network, Tape tape,
                                   const PrivateGradientOptions& options) {
    at::NoGradGuard no_grad;
    std::map<int, std::vector<ParameterUse>> by_parameter;
    int64_t tape_bytes = 0;
    for (ParameterUse& use : tape.uses()) {
        if (!use.gradient.defined()) {
            throw Error(ErrorCode::kInternal,
                        "the loss does not depend on " + network.parameters()[key_of(use)].name);
        }
        examples_ = use.gradient.size(0) / options.views;
        tape_bytes += bytes_of(use.input) + bytes_of(use.gradient);
        by_parameter[key_of(use)].push_back(std::move(use));
    }
    tape.uses().clear();
    split_biases(by_parameter);

    int64_t memory_left = static_cast<int64_t>(
        kKeptMemoryShare * static_cast<double>(tape_bytes / std::max<int64_t>(1, examples_)));
    const RuleContext context{examples_, options.views, options.method, &memory_left};
    std::map<std::string, int64_t> layer_row;
    std::vector<RuleNorms> norms;
    for (auto& [index, uses] : by_parameter) {
        const auto& parameter = network.parameters()[index];
        const auto [row, added] = layer_row.emplace(layer_path(parameter.name), layer_row.size());
        if (added) layer_names_.push_back(row->first);
        layer_of_rule_.push_back(row->second);
        rules_.push_back(make_rule(std::move(uses), parameter.value, context));
        norms.push_back(rules_.back()->norms());
    }

    const auto layers = static_cast<int64_t>(layer_names_.size());
    squared_ = torch::zeros({layers, examples_}, at::kDouble);
    bounds_ = torch::zeros({layers, examples_}, at::kDouble);
    for (size_t i = 0; i < rules_.size(); ++i) {
        const at::Tensor squared = norms[i].squared.to(at::kCPU);
        squared_.select(0, layer_of_rule_[i]).add_(squared);
        bounds_.select(0, layer_of_rule_[i])
            .add_(squared * (1 + 4 * kSquaresError) + norms[i].slack.to(at::kCPU));
    }
}

PrivateGradients::~PrivateGradients() = default;

void PrivateGradients::add_weighted_sum(const at::Tensor& factors, std::vector<at::Tensor>& sums) {
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < rules_.size(); ++i) {
        rules_[i]->add_weighted_sum(factors.select(0, layer_of_rule_[i]), sums);
    }
}

}  // namespace ward::nn
