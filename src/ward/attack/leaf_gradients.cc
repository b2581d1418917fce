#include "ward/attack/internal/leaf_gradients.h"

#include <cmath>

#include "ward/nn/runtime.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kAdamEpsilon = 1e-8;

}  // namespace

TwiceDifferentiable::TwiceDifferentiable() : own_kernels_(nn::uses_own_kernels()) {
    nn::use_own_kernels(false);
}

TwiceDifferentiable::~TwiceDifferentiable() { nn::use_own_kernels(own_kernels_); }

Leaves::Leaves(const nn::Network& network) {
    for (const nn::Parameter& parameter : network.parameters()) {
        if (!parameter.trainable) continue;
        values_.push_back(parameter.value);
        values_.back().set_requires_grad(true);
    }
}

Leaves::~Leaves() {
    for (at::Tensor& value : values_) value.set_requires_grad(false);
}

std::vector<at::Tensor> leaf_gradient(const nn::Network& network, const Leaves& leaves,
                                      const at::Tensor& x, const at::Tensor& soft_labels,
                                      bool twice) {
    const at::Tensor losses = -(soft_labels * at::log_softmax(network.forward(x), 1)).sum(1);
    return torch::autograd::grad({losses.mean()}, leaves.values(), {}, twice, twice);
}

at::Tensor squared_distance(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
    at::Tensor sum = torch::zeros({});
    for (size_t i = 0; i < a.size(); ++i) sum = sum + (a[i] - b[i]).square().sum();
    return sum;
}

at::Tensor cosine_distance(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
    at::Tensor product = torch::zeros({}), norm_a = torch::zeros({}), norm_b = torch::zeros({});
    for (size_t i = 0; i < a.size(); ++i) {
        product = product + (a[i] * b[i]).sum();
        norm_a = norm_a + a[i].square().sum();
        norm_b = norm_b + b[i].square().sum();
    }
    return 1 - product / (norm_a.sqrt() * norm_b.sqrt()).clamp_min(1e-30);
}

at::Tensor one_hot_rows(const at::Tensor& labels, int64_t classes) {
    return torch::zeros({labels.size(0), classes}).scatter_(1, labels.unsqueeze(1), 1);
}

at::Tensor SignedAdam::move(const at::Tensor& slope) {
    const at::Tensor sign = slope.sign();
    if (!first_.defined()) {
        first_ = torch::zeros_like(sign);
        second_ = torch::zeros_like(sign);
    }
    first_ = kBeta1 * first_ + (1 - kBeta1) * sign;
    second_ = kBeta2 * second_ + (1 - kBeta2) * sign.square();
    const double done = static_cast<double>(taken_) / static_cast<double>(steps_);
    const auto t = static_cast<double>(++taken_);
    const double rate = step_size_ * (done < 0.375   ? 1
                                      : done < 0.625 ? 0.1
                                      : done < 0.875 ? 0.01
                                                     : 0.001);
    return rate * (first_ / (1 - std::pow(kBeta1, t))) /
           ((second_ / (1 - std::pow(kBeta2, t))).sqrt() + kAdamEpsilon);
}

}  // namespace ward::attack
