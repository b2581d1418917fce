#include "lockstep_cw.h"

#include <cmath>
#include <limits>
#include <vector>

#include "ward/nn/torch.h"

namespace ward::bench {
namespace {

constexpr double kFirstConstant = 1e-3, kRate = 0.01, kInside = 0.999999;
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8;

class LockstepCarliniWagner : public attack::Attack {
  public:
    explicit LockstepCarliniWagner(const attack::EvasionOptions& options) : options_(options) {}

    std::string_view name() const override { return "cw, peers' rule"; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(attack::Target& target, const attack::Points& points) override {
        const int64_t n = points.size();
        best_ = points.x.clone();
        best_square_ = torch::full({n}, std::numeric_limits<float>::infinity());
        at::Tensor constant = torch::full({n}, kFirstConstant), low = torch::zeros({n}),
                   high = torch::full({n}, std::numeric_limits<float>::infinity());
        for (int64_t search = 0; search < options_.restarts; ++search) {
            const at::Tensor found = descend(target, points, constant);
            high = at::where(found, constant, high);
            low = at::where(found, low, constant);
            constant = at::where(high.isinf(), constant * 10, (low + high) / 2);
        }
        return best_;
    }

  private:
    // {n} bool: what this descent fooled at any time.
    at::Tensor descend(attack::Target& target, const attack::Points& points,
                       const at::Tensor& constant) {
        at::Tensor w = at::atanh((2 * points.x - 1) * kInside);
        at::Tensor mean = torch::zeros_like(w), square = torch::zeros_like(w);
        at::Tensor found = torch::zeros({points.size()}, at::kBool);
        const int64_t window = std::max<int64_t>(1, (options_.steps + 9) / 10);
        double before = std::numeric_limits<double>::infinity();
        for (int64_t step = 0; step < options_.steps; ++step) {
            const at::Tensor t = w.tanh(), x = (t + 1) / 2, moved = x - points.x;
            at::Tensor lack;  // by how much the right class still stands above
            const auto pass = target.gradient(x, [&](const at::Tensor& logits, int64_t first) {
                return margin_slope(logits, points.y.narrow(0, first, logits.size(0)));
            });
            lack = at::relu(right_above(pass.logits, points.y));
            const at::Tensor active = (lack > 0).to(at::kFloat) * constant;
            at::Tensor slope = 2 * moved + pass.gradient * active.view({-1, 1, 1, 1});
            slope = slope * (1 - t * t) / 2;
            mean = kBeta1 * mean + (1 - kBeta1) * slope;
            square = kBeta2 * square + (1 - kBeta2) * slope.square();
            w = w - kRate * (mean / (1 - std::pow(kBeta1, double(step + 1)))) /
                        ((square / (1 - std::pow(kBeta2, double(step + 1)))).sqrt() + kTiny);
            const at::Tensor squares = moved.square().flatten(1).sum(1);
            found = found | note(points.fooled(pass.logits), x, squares);
            if (step % window != 0) continue;
            const auto total = (squares + constant * lack).sum().item<double>();
            if (!(total <= 0.9999 * before)) break;
            before = total;
        }
        return found;
    }

    static at::Tensor best_other(const at::Tensor& logits, const at::Tensor& y) {
        return logits.scatter(1, y.unsqueeze(1), -std::numeric_limits<float>::infinity())
            .argmax(1, true);
    }

    static at::Tensor right_above(const at::Tensor& logits, const at::Tensor& y) {
        return (logits.gather(1, y.unsqueeze(1)) - logits.gather(1, best_other(logits, y)))
            .squeeze(1);
    }

    static at::Tensor margin_slope(const at::Tensor& logits, const at::Tensor& y) {
        return torch::zeros_like(logits)
            .scatter_(1, y.unsqueeze(1), 1.0f)
            .scatter_(1, best_other(logits, y), -1.0f);
    }

    at::Tensor note(const at::Tensor& fooled, const at::Tensor& x, const at::Tensor& squares) {
        const at::Tensor better = fooled & (squares < best_square_);
        best_square_ = at::where(better, squares, best_square_);
        best_ = at::where(better.view({-1, 1, 1, 1}), x, best_).contiguous();
        return fooled;
    }

    attack::EvasionOptions options_;
    at::Tensor best_, best_square_;
};

}  // namespace

std::unique_ptr<attack::Attack> make_lockstep_cw(const attack::EvasionOptions& options) {
    return std::make_unique<LockstepCarliniWagner>(options);
}

}  // namespace ward::bench
