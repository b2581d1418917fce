#include "ward/attack/target.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

const char* name_of(Access access) {
    if (access == Access::kLabels) return "labels only";
    return access == Access::kScores ? "scores" : "white box";
}

at::Tensor on_cpu(const at::Tensor& x) { return x.detach().to(at::kCPU, at::kFloat).contiguous(); }

}  // namespace

Target::Target(Function function, Access access, std::string device)
    : function_(std::move(function)), access_(access), device_(std::move(device)) {}

Target::Target(const nn::Network& network, Access access)
    : Target([&network](const at::Tensor& x) { return network.forward(x); }, access,
             network.device()) {}

Target::Target(const nn::ScriptModule& module, Access access, std::string device)
    : Target([&module](const at::Tensor& x) { return module.forward(x); }, access,
             std::move(device)) {}

void Target::set_rows_at_once(int64_t rows) {
    if (rows < 1)
        throw Error(ErrorCode::kUsage, "rows at once must be > 0, got " + std::to_string(rows));
    rows_at_once_ = rows;
}

void Target::require(Access access, const char* what) const {
    if (access_ >= access) return;
    throw Error(
        ErrorCode::kRefused,
        std::string("the attack wants ") + what + ", but the target gives " + name_of(access_),
        "choose an attack that needs less, or grant the access it needs");
}

int64_t Target::piece(const at::Tensor& x) const {
    const int64_t n = x.size(0);
    // Pieces of nearly equal size: a small last piece would pay the full overhead of a call.
    const int64_t pieces = std::max<int64_t>(1, (n + rows_at_once_ - 1) / rows_at_once_);
    return std::max<int64_t>(1, (n + pieces - 1) / pieces);
}

at::Tensor Target::call(const at::Tensor& x) const {
    at::Tensor y = function_(x);
    if (!y.defined() || y.dim() != 2 || y.size(0) != x.size(0) || y.size(1) < 2) {
        throw Error(ErrorCode::kInvalid,
                    "the target does not return logits {examples, classes} with at least 2 classes",
                    "attacks on classifiers want one row of class scores for each example");
    }
    if (!std::isfinite(y.detach().sum().item<float>())) {
        throw Error(ErrorCode::kInvalid, "the target returns values that are not finite",
                    "check the weights of the model and the range of its inputs");
    }
    return y;
}

at::Tensor Target::logits(const at::Tensor& x) {
    require(Access::kScores, "scores");
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> parts;
    const int64_t n = x.size(0), size = piece(x);
    for (int64_t first = 0; first < n; first += size) {
        const at::Tensor part = x.narrow(0, first, std::min(size, n - first));
        parts.push_back(on_cpu(call(part.to(at::Device(device_)))));
    }
    counts_.forward += n;
    return parts.size() == 1 ? parts[0] : at::cat(parts);
}

at::Tensor Target::labels(const at::Tensor& x) {
    const Access granted = std::exchange(access_, Access::kWhiteBox);
    try {
        at::Tensor labels = logits(x).argmax(1);
        access_ = granted;
        return labels;
    } catch (...) {
        access_ = granted;
        throw;
    }
}

Target::Pass Target::gradient(const at::Tensor& x, const Cotangent& cotangent) {
    require(Access::kWhiteBox, "gradients");
    at::AutoGradMode grad_mode(true);
    std::vector<at::Tensor> logits;
    Pass result{at::Tensor(), torch::empty(x.sizes())};
    const int64_t n = x.size(0), size = piece(x);
    for (int64_t first = 0; first < n; first += size) {
        const int64_t rows = std::min(size, n - first);
        at::Tensor part = x.narrow(0, first, rows).detach().to(at::Device(device_));
        part = part.set_requires_grad(true);
        const at::Tensor y = call(part);
        logits.push_back(on_cpu(y));
        const at::Tensor seed = cotangent(logits.back(), first).to(at::Device(device_));
        const auto grads = torch::autograd::grad({y}, {part}, {seed}, false, false, true);
        const at::Tensor out = result.gradient.narrow(0, first, rows);
        if (grads[0].defined()) {
            out.copy_(grads[0]);
        } else {
            out.zero_();
        }
    }
    counts_.forward += n;
    counts_.backward += n;
    result.logits = logits.size() == 1 ? logits[0] : at::cat(logits);
    return result;
}

Target::Jacobian Target::jacobian(const at::Tensor& x, const Choice& choose) {
    require(Access::kWhiteBox, "gradients");
    at::AutoGradMode grad_mode(true);
    std::vector<at::Tensor> logits, classes, gradients;
    const int64_t n = x.size(0), size = piece(x);
    for (int64_t first = 0; first < n; first += size) {
        at::Tensor part = x.narrow(0, first, std::min(size, n - first)).detach();
        part = part.to(at::Device(device_)).set_requires_grad(true);
        const at::Tensor y = call(part);
        logits.push_back(on_cpu(y));
        const at::Tensor chosen = choose(logits.back());
        const int64_t k = chosen.size(1);
        std::vector<at::Tensor> rows;
        for (int64_t j = 0; j < k; ++j) {
            const at::Tensor seed = torch::zeros(logits.back().sizes())
                                        .scatter_(1, chosen.narrow(1, j, 1), 1.0f)
                                        .to(at::Device(device_));
            rows.push_back(on_cpu(torch::autograd::grad({y}, {part}, {seed}, j + 1 < k)[0]));
        }
        counts_.forward += part.size(0);
        counts_.backward += part.size(0) * k;
        classes.push_back(chosen);
        gradients.push_back(at::stack(rows, 1));
    }
    return {at::cat(logits), at::cat(classes), at::cat(gradients)};
}

}  // namespace ward::attack
