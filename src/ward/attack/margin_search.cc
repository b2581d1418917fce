#include "ward/attack/internal/margin_search.h"

#include <algorithm>

#include "ward/attack/internal/losses.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

LossRows margin_rows(const at::Tensor& logits, const at::Tensor& y, const at::Tensor& wanted) {
    if (!wanted.defined()) return evaluate_loss(Loss::kMargin, logits, y, at::Tensor());
    // Over all other classes, not only the right one: a third class may stand above both.
    const LossRows away = evaluate_loss(Loss::kMargin, logits, wanted, at::Tensor());
    return {-away.value, -away.cotangent};
}

}  // namespace

at::Tensor margin_of(const Points& points, const at::Tensor& logits) {
    return margin_rows(logits, points.y, points.wanted).value;
}

MarginPass margin_gradient(Target& target, const Points& points, const at::Tensor& x) {
    MarginPass result;
    result.margin = torch::empty({points.size()});
    const Target::Pass pass = target.gradient(x, [&](const at::Tensor& logits, int64_t first) {
        const int64_t rows = logits.size(0);
        const LossRows loss =
            margin_rows(logits, points.y.narrow(0, first, rows),
                        points.targeted() ? points.wanted.narrow(0, first, rows) : at::Tensor());
        result.margin.narrow(0, first, rows).copy_(loss.value);
        return loss.cotangent;
    });
    result.logits = pass.logits;
    result.gradient = pass.gradient;
    return result;
}

void MarginWeight::update(bool fooled) {
    (fooled ? high_ : low_) = fooled ? std::min(high_, value_) : std::max(low_, value_);
    value_ = high_ < kMost ? (low_ + high_) / 2 : value_ * 10;
}

void search_weights(int64_t examples, double first, int64_t rounds,
                    const WeightedDescent& descend) {
    std::vector<MarginWeight> weights(static_cast<size_t>(examples), MarginWeight(first));
    for (int64_t round = 0; round < rounds; ++round) {
        const std::vector<bool> fooled = descend(weights);
        for (size_t i = 0; i < weights.size(); ++i) weights[i].update(fooled[i]);
    }
}

bool Stagnation::reached(int64_t step, double total) {
    if (!due(step)) return false;
    if (total > before_ * 0.9999) return true;
    before_ = total;
    return false;
}

bool Plateau::reached(int64_t step, double total) {
    least_ = std::min(least_, total);
    if (step == 0 || step % window_ != 0) return false;
    const bool flat = !(least_ <= 0.9999 * before_);
    before_ = std::min(before_, least_);
    least_ = INFINITY;
    return flat;
}

}  // namespace ward::attack
