#include "ward/attack/transfer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "ward/attack/internal/losses.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kL1Sparsity = 0.05;      // share of inputs that one L1 step moves
constexpr double kResizedShare = 0.5;     // di: share of steps with a random resize
constexpr double kLeastSize = 0.875;      // di: of the image
constexpr int64_t kKernel = 7;            // ti: pixels
constexpr double kKernelDeviation = 3.0;  // ti

enum class Kind { kNesterov, kDiverse, kSmoothed };

const char* name_of(Kind kind) {
    if (kind == Kind::kNesterov) return "ni-fgsm";
    return kind == Kind::kDiverse ? "di-fgsm" : "ti-fgsm";
}

Target::Cotangent raise_loss(const Points& points) {
    return [&points](const at::Tensor& logits, int64_t first) {
        const int64_t rows = logits.size(0);
        return evaluate_loss(
                   Loss::kCrossEntropy, logits, points.y.narrow(0, first, rows),
                   points.targeted() ? points.wanted.narrow(0, first, rows) : at::Tensor())
            .cotangent;
    };
}

void step_rows(const Ball& ball, const at::Tensor& center, const at::Tensor& direction, double step,
               at::Tensor& x) {
    for_rows(x.size(0), [&](int64_t i) {
        ascend(ball, row(center, i), row(x, i), row(direction, i), static_cast<float>(step),
               kL1Sparsity, row(x, i), row_size(x));
    });
}

// A smaller image at a random place of one of the same size; linear, so its adjoint carries
// gradients back.
class ResizeAndPad {
  public:
    ResizeAndPad(const at::Tensor& x, Generator& generator) {
        const int64_t h = x.size(2), w = x.size(3);
        height_ =
            h - below(generator,
                      std::max<int64_t>(1, h - static_cast<int64_t>(kLeastSize * double(h)) + 1));
        width_ = w - below(generator, std::max<int64_t>(
                                          1, w - static_cast<int64_t>(kLeastSize * double(w)) + 1));
        top_ = below(generator, h - height_ + 1);
        left_ = below(generator, w - width_ + 1);
    }

    at::Tensor apply(const at::Tensor& x) const {
        const at::Tensor small =
            at::upsample_bilinear2d(x, {height_, width_}, false, c10::nullopt, c10::nullopt);
        return at::constant_pad_nd(
            small, {left_, x.size(3) - width_ - left_, top_, x.size(2) - height_ - top_});
    }

    at::Tensor adjoint(const at::Tensor& x, const at::Tensor& gradient) const {
        at::AutoGradMode grad_mode(true);
        const at::Tensor leaf = x.detach().clone().set_requires_grad(true);
        return torch::autograd::grad({apply(leaf)}, {leaf}, {gradient})[0].contiguous();
    }

  private:
    int64_t height_, width_, top_, left_;
};

at::Tensor smoothed(const at::Tensor& gradient) {
    const at::Tensor place = torch::arange(kKernel, at::kFloat) - (kKernel - 1) / 2;
    const at::Tensor line = at::exp(-place.square() / (2 * kKernelDeviation * kKernelDeviation));
    const at::Tensor weight = (line / line.sum()).outer(line / line.sum());
    const int64_t channels = gradient.size(1);
    return at::conv2d(gradient, weight.view({1, 1, kKernel, kKernel}).repeat({channels, 1, 1, 1}),
                      {}, 1, kKernel / 2, 1, channels)
        .contiguous();
}

class Transfer : public Attack {
  public:
    Transfer(Kind kind, const EvasionOptions& options)
        : kind_(kind), options_(options), ball_(ball_of(options)) {
        if (options_.steps == 0) options_.steps = 10;
        if (options_.step_size == 0)
            options_.step_size = options_.epsilon / static_cast<double>(options_.steps);
        if (options_.momentum == 0) options_.momentum = 1;
    }

    std::string_view name() const override { return name_of(kind_); }

    at::Tensor perturb(Target& target, const Points& all) override {
        if (kind_ != Kind::kNesterov && all.x.dim() != 4) {
            throw Error(ErrorCode::kUnsupported, std::string(name()) + " is for images",
                        "use ni-fgsm or mi-fgsm");
        }
        Generator generator(options_.seed);
        Points points = all;
        at::Tensor out = all.x.clone(), done = torch::zeros({all.size()}, at::kBool);
        at::Tensor owner = torch::arange(all.size()), x = all.x.clone();
        at::Tensor velocity = torch::zeros_like(x);
        for (int64_t step = 0; step < options_.steps && owner.numel() > 0; ++step) {
            const at::Tensor gradient = gradient_at(target, points, x, velocity, generator);
            velocity = options_.momentum * velocity + gradient / l1_norm(gradient);
            step_rows(ball_, points.x, velocity, options_.step_size, x);
            if (options_.all_steps) continue;
            const at::Tensor fooled = points.fooled(target.logits(x));
            if (!fooled.any().item<bool>()) continue;
            const at::Tensor keep = settle(fooled, x, owner, done, out);
            keep_rows(keep, {&points.x, &points.y, &points.wanted, &owner, &x, &velocity});
        }
        if (owner.numel() > 0) out.index_copy_(0, owner, x);
        return out;
    }

  private:
    static at::Tensor l1_norm(const at::Tensor& x) {
        std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
        shape[0] = x.size(0);
        return x.flatten(1).abs().sum(1).clamp_min(1e-30).view(shape);
    }

    at::Tensor gradient_at(Target& target, const Points& points, const at::Tensor& x,
                           const at::Tensor& velocity, Generator& generator) const {
        if (kind_ == Kind::kNesterov) {
            const at::Tensor ahead = x + options_.step_size * options_.momentum * velocity;
            return target.gradient(ahead, raise_loss(points)).gradient;
        }
        if (kind_ == Kind::kSmoothed)
            return smoothed(target.gradient(x, raise_loss(points)).gradient);
        if (uniform01(generator) >= kResizedShare)
            return target.gradient(x, raise_loss(points)).gradient;
        const ResizeAndPad change(x, generator);
        return change.adjoint(x, target.gradient(change.apply(x), raise_loss(points)).gradient);
    }

    Kind kind_;
    EvasionOptions options_;
    Ball ball_;
};

class Universal : public Attack {
  public:
    explicit Universal(const EvasionOptions& options) : options_(options), ball_(ball_of(options)) {
        if (options_.steps == 0) options_.steps = 100;
        if (options_.step_size == 0)
            options_.step_size = 2 * options_.epsilon / static_cast<double>(options_.steps);
        // The perturbation itself is bounded by the ball; each example then by the box.
        const auto width = static_cast<float>(options_.upper - options_.lower);
        ball_.lower = -width;
        ball_.upper = width;
    }

    std::string_view name() const override { return "universal"; }

    at::Tensor perturb(Target& target, const Points& points) override {
        const at::Tensor zero = torch::zeros_like(points.x.narrow(0, 0, 1));
        at::Tensor shift = zero.clone(), best = zero.clone();
        int64_t most = -1;
        for (int64_t step = 0; step <= options_.steps; ++step) {
            const auto pass = target.gradient(moved(points, shift), raise_loss(points));
            const int64_t fooled = points.fooled(pass.logits).sum().item<int64_t>();
            if (fooled > most) {
                most = fooled;
                best = shift.clone();
            }
            at::Tensor gradient = pass.gradient.mean(0, true).contiguous();
            step_rows(ball_, zero, gradient, options_.step_size, shift);
        }
        return moved(points, best);
    }

  private:
    at::Tensor moved(const Points& points, const at::Tensor& shift) const {
        return (points.x + shift).clamp(options_.lower, options_.upper);
    }

    EvasionOptions options_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_ni_fgsm(const EvasionOptions& options) {
    return std::make_unique<Transfer>(Kind::kNesterov, options);
}

std::unique_ptr<Attack> make_di_fgsm(const EvasionOptions& options) {
    return std::make_unique<Transfer>(Kind::kDiverse, options);
}

std::unique_ptr<Attack> make_ti_fgsm(const EvasionOptions& options) {
    return std::make_unique<Transfer>(Kind::kSmoothed, options);
}

std::unique_ptr<Attack> make_universal(const EvasionOptions& options) {
    return std::make_unique<Universal>(options);
}

}  // namespace ward::attack
