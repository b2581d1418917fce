#include "ward/train/optimizer.h"

#include <array>
#include <cmath>

#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::train {
namespace {

struct Name {
    OptimizerKind kind;
    std::string_view text;
};
constexpr std::array<Name, 4> kNames{{{OptimizerKind::kSgd, "sgd"},
                                      {OptimizerKind::kAdam, "adam"},
                                      {OptimizerKind::kAdamW, "adamw"},
                                      {OptimizerKind::kDpAdam, "dp-adam"}}};

void require(bool holds, const char* what, double got) {
    if (!holds) throw Error(ErrorCode::kUsage, std::string(what) + ", got " + std::to_string(got));
}

}  // namespace

OptimizerKind parse_optimizer(std::string_view name) {
    for (const Name& entry : kNames) {
        if (entry.text == name) return entry.kind;
    }
    throw Error(ErrorCode::kUsage,
                "optimizer must be sgd, adam, adamw or dp-adam, got " + std::string(name));
}

std::string_view optimizer_name(OptimizerKind kind) {
    for (const Name& entry : kNames) {
        if (entry.kind == kind) return entry.text;
    }
    return "unknown";
}

Optimizer::Optimizer(const OptimizerOptions& options) : options_(options) {
    require(options.momentum >= 0 && options.momentum < 1, "momentum must be in [0, 1)",
            options.momentum);
    require(options.beta1 >= 0 && options.beta1 < 1, "beta1 must be in [0, 1)", options.beta1);
    require(options.beta2 >= 0 && options.beta2 < 1, "beta2 must be in [0, 1)", options.beta2);
    require(options.weight_decay >= 0 && std::isfinite(options.weight_decay),
            "weight decay must be finite and >= 0", options.weight_decay);
}

void Optimizer::step(std::vector<at::Tensor>& values, const std::vector<at::Tensor>& gradients,
                     double learning_rate) {
    at::NoGradGuard no_grad;
    ++steps_;
    for (size_t i = 0; i < values.size(); ++i) {
        if (!gradients[i].defined()) continue;
        if (options_.kind == OptimizerKind::kSgd) {
            sgd(values[i], gradients[i], i, learning_rate);
        } else {
            adam(values[i], gradients[i], i, learning_rate);
        }
    }
}

std::map<std::string, at::Tensor> Optimizer::state() const { return slots_; }

void Optimizer::restore(const std::map<std::string, at::Tensor>& state, int64_t steps_taken) {
    slots_.clear();
    for (const auto& [name, tensor] : state) slots_[name] = tensor.clone();
    steps_ = steps_taken;
}

at::Tensor& Optimizer::slot(const std::string& name, size_t index, const at::Tensor& like) {
    at::Tensor& tensor = slots_[name + "." + std::to_string(index)];
    if (!tensor.defined()) tensor = at::zeros_like(like);
    return tensor;
}

void Optimizer::sgd(at::Tensor& value, const at::Tensor& gradient, size_t index,
                    double learning_rate) {
    at::Tensor direction = gradient;
    if (options_.weight_decay > 0) direction = direction.add(value, options_.weight_decay);
    if (options_.momentum > 0)
        direction = slot("momentum", index, value).mul_(options_.momentum).add_(direction);
    value.add_(direction, -learning_rate);
}

void Optimizer::adam(at::Tensor& value, const at::Tensor& gradient, size_t index,
                     double learning_rate) {
    const bool decoupled = options_.kind == OptimizerKind::kAdamW;
    at::Tensor direction = gradient;
    if (options_.weight_decay > 0) {
        if (decoupled) {
            value.mul_(1 - learning_rate * options_.weight_decay);
        } else {
            direction = direction.add(value, options_.weight_decay);
        }
    }
    at::Tensor& first = slot("first_moment", index, value);
    at::Tensor& second = slot("second_moment", index, value);
    first.mul_(options_.beta1).add_(direction, 1 - options_.beta1);
    second.mul_(options_.beta2).addcmul_(direction, direction, 1 - options_.beta2);
    const double correction1 = 1 - std::pow(options_.beta1, static_cast<double>(steps_));
    const double correction2 = 1 - std::pow(options_.beta2, static_cast<double>(steps_));
    if (options_.kind == OptimizerKind::kDpAdam) {
        const at::Tensor variance =
            (second / correction2 - options_.noise_variance).clamp_min_(options_.variance_floor);
        value.addcdiv_(first, variance.sqrt_(), -learning_rate / correction1);
    } else {
        const at::Tensor deviation = (second / correction2).sqrt_().add_(options_.epsilon);
        value.addcdiv_(first, deviation, -learning_rate / correction1);
    }
}

}  // namespace ward::train
