#include "ward/attack/internal/surrogate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kLeastSteps = 300;  // also where answers are few
constexpr int64_t kRowsAtOnce = 500;

train::OptimizerOptions adam() {
    train::OptimizerOptions options;
    options.kind = train::OptimizerKind::kAdam;
    return options;
}

}  // namespace

Surrogate::Surrogate(const ExtractionOptions& options, uint64_t seed)
    : training_(options.training),
      prepare_(options.prepare),
      network_(options.surrogate, seed),
      optimizer_(adam()),
      generator_(at::detail::createCPUGenerator(seed)) {
    for (nn::Parameter& parameter : network_.parameters()) {
        if (!parameter.trainable) continue;
        parameter.value.set_requires_grad(true);
        values_.push_back(parameter.value);
    }
}

Surrogate::~Surrogate() {
    for (at::Tensor& value : values_) value.set_requires_grad(false);
}

void Surrogate::step(const at::Tensor& x, const at::Tensor& answers, double learning_rate) {
    network_.set_training(true);
    std::vector<at::Tensor> gradients;
    {
        at::AutoGradMode grad_mode(true);
        const at::Tensor loss =
            -(answers * at::log_softmax(network_.forward(prepared(x)), 1)).sum(1).mean();
        gradients = torch::autograd::grad({loss}, values_, {}, false, false, true);
    }
    at::NoGradGuard no_grad;
    optimizer_.step(values_, gradients, learning_rate);
    network_.set_training(false);
}

void Surrogate::fit(const at::Tensor& x, const at::Tensor& answers) {
    const int64_t n = x.size(0), batch = std::min(training_.batch, n);
    const int64_t per_epoch = std::max<int64_t>(1, n / batch);
    const int64_t steps = std::max(kLeastSteps, training_.epochs * per_epoch);
    at::Tensor order;
    for (int64_t i = 0; i < steps; ++i) {
        const int64_t place = i % per_epoch;
        if (place == 0) order = at::randperm(n, generator_, at::TensorOptions().dtype(at::kLong));
        const at::Tensor rows = order.narrow(0, place * batch, batch);
        const double done = static_cast<double>(i) / static_cast<double>(steps);
        step(x.index_select(0, rows), answers.index_select(0, rows),
             training_.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * done)));
    }
}

void Surrogate::fit_once(const at::Tensor& x, const at::Tensor& answers) {
    for (int64_t first = 0; first < x.size(0); first += training_.batch) {
        const int64_t rows = std::min(training_.batch, x.size(0) - first);
        step(x.narrow(0, first, rows), answers.narrow(0, first, rows), training_.learning_rate);
    }
}

at::Tensor Surrogate::logits(const at::Tensor& x) const {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> parts;
    for (int64_t first = 0; first < x.size(0); first += kRowsAtOnce) {
        const int64_t rows = std::min(kRowsAtOnce, x.size(0) - first);
        parts.push_back(network_.forward(prepared(x.narrow(0, first, rows))));
    }
    return at::cat(parts);
}

}  // namespace ward::attack
