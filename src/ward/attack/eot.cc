#include "ward/attack/internal/eot.h"

#include "ward/nn/torch.h"

namespace ward::attack {

MeanPass mean_gradient(Target& target, const at::Tensor& x, Loss loss, const at::Tensor& y,
                       const at::Tensor& aim, int64_t eot) {
    MeanPass mean;
    for (int64_t draw = 0; draw < eot; ++draw) {
        at::Tensor value = torch::empty({x.size(0)});
        auto pass = target.gradient(x, [&](const at::Tensor& logits, int64_t first) {
            const int64_t rows = logits.size(0);
            const LossRows part =
                evaluate_loss(loss, logits, y.narrow(0, first, rows),
                              aim.defined() ? aim.narrow(0, first, rows) : at::Tensor());
            value.narrow(0, first, rows).copy_(part.value);
            return part.cotangent;
        });
        if (draw == 0) {
            mean = {pass.logits, value, pass.gradient};
        } else {
            mean.logits += pass.logits;
            mean.value += value;
            mean.gradient += pass.gradient;
        }
    }
    if (eot > 1) {
        const double share = 1.0 / static_cast<double>(eot);
        mean.logits *= share;
        mean.value *= share;
        mean.gradient *= share;
    }
    return mean;
}

at::Tensor mean_logits(Target& target, const at::Tensor& x, int64_t eot) {
    at::Tensor sum = target.logits(x);
    for (int64_t draw = 1; draw < eot; ++draw) sum += target.logits(x);
    return eot > 1 ? sum / static_cast<double>(eot) : sum;
}

}  // namespace ward::attack
