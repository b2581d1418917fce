#include "ward/attack/internal/lbfgs.h"

#include <cmath>
#include <utility>
#include <vector>

#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr size_t kMostPairs = 50;
constexpr double kArmijo = 1e-4;
constexpr int kMostHalvings = 30;

double scalar_product(const at::Tensor& a, const at::Tensor& b) { return a.dot(b).item<double>(); }

}  // namespace

Lbfgs::Lbfgs(Function function, at::Tensor start)
    : function_(std::move(function)), x_(std::move(start)), at_(function_(x_)) {}

// The two-loop recursion.
at::Tensor Lbfgs::direction() const {
    at::Tensor q = at_.gradient.clone();
    std::vector<double> alphas(pairs_.size());
    for (size_t i = pairs_.size(); i-- > 0;) {
        alphas[i] = scalar_product(pairs_[i].move, q) / pairs_[i].curvature;
        q -= alphas[i] * pairs_[i].change;
    }
    if (pairs_.empty()) {
        q /= std::max(1e-30, q.abs().sum().item<double>());  // a first step of length one at most
    } else {
        q *= pairs_.back().curvature / scalar_product(pairs_.back().change, pairs_.back().change);
    }
    for (size_t i = 0; i < pairs_.size(); ++i) {
        const double beta = scalar_product(pairs_[i].change, q) / pairs_[i].curvature;
        q += (alphas[i] - beta) * pairs_[i].move;
    }
    return -q;
}

bool Lbfgs::step() {
    at::Tensor towards = direction();
    double slope = scalar_product(at_.gradient, towards);
    if (!(slope < 0)) {  // rounding has spoilt the memory
        pairs_.clear();
        towards = direction();
        slope = scalar_product(at_.gradient, towards);
        if (!(slope < 0)) return false;
    }
    double length = 1;
    for (int i = 0; i < kMostHalvings; ++i, length *= 0.5) {
        const at::Tensor next = x_ + length * towards;
        Value found = function_(next);
        if (!(found.value <= at_.value + kArmijo * length * slope)) continue;
        Pair pair{next - x_, found.gradient - at_.gradient, 0};
        pair.curvature = scalar_product(pair.move, pair.change);
        if (pair.curvature > 1e-12 * scalar_product(pair.change, pair.change))
            pairs_.push_back(pair);
        if (pairs_.size() > kMostPairs) pairs_.pop_front();
        x_ = next;
        at_ = std::move(found);
        return true;
    }
    return false;
}

}  // namespace ward::attack
