#include "ward/attack/fgsm.h"

#include <algorithm>

#include "ward/attack/internal/losses.h"
#include "ward/attack/internal/rows.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

class Fgsm : public Attack {
  public:
    explicit Fgsm(const EvasionOptions& options) : options_(options), ball_(ball_of(options)) {}

    std::string_view name() const override { return "fgsm"; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Generator generator(options_.seed);
        at::Tensor x = points.x.clone();
        float step = ball_.epsilon;
        if (options_.random_start) {
            Ball half = ball_;
            half.epsilon = step = ball_.epsilon / 2;
            random_start(half, points.x, false, generator, x);
        }
        const auto pass = target.gradient(x, [&](const at::Tensor& logits, int64_t first) {
            const Points part = points.select(torch::arange(first, first + logits.size(0)));
            return evaluate_loss(Loss::kCrossEntropy, logits, part.y, part.wanted).cotangent;
        });
        const int64_t n = row_size(x);
        for_rows(x.size(0), [&](int64_t i) {
            if (ball_.norm == Norm::kL1) {
                step_l1(row(points.x, i), row(pass.gradient, i), step, row(x, i), n);
                return;
            }
            ascend(ball_, row(points.x, i), row(x, i), row(pass.gradient, i), step, 1, row(x, i),
                   n);
        });
        return x;
    }

  private:
    void step_l1(const float* center, const float* gradient, float step, float* x, int64_t n) {
        const double norm = std::max(row_norm(gradient, n, Norm::kL1), 1e-30);
        for (int64_t j = 0; j < n; ++j) x[j] += static_cast<float>(step / norm) * gradient[j];
        project(ball_, center, x, n);
    }

    EvasionOptions options_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_fgsm(const EvasionOptions& options) {
    return std::make_unique<Fgsm>(options);
}

}  // namespace ward::attack
