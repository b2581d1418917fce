#include "ward/attack/pgd.h"

#include <algorithm>
#include <string>
#include <utility>

#include "ward/attack/internal/eot.h"
#include "ward/attack/internal/losses.h"
#include "ward/attack/internal/rows.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kL1Sparsity = 0.05;  // share of inputs that one L1 step moves

class Pgd : public Attack {
  public:
    Pgd(std::string name, const EvasionOptions& options)
        : name_(std::move(name)), options_(options), ball_(ball_of(options)) {}

    std::string_view name() const override { return name_; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Generator generator(options_.seed);
        at::Tensor out = points.x.clone();
        at::Tensor done = torch::zeros({points.size()}, at::kBool);
        for (int64_t restart = 0; restart < options_.restarts; ++restart) {
            const at::Tensor open = (~done).nonzero().flatten();
            if (open.numel() == 0 || (options_.all_steps && restart > 0)) break;
            run(target, points.select(open), open, restart > 0 || options_.random_start, generator,
                done, out);
        }
        return out;
    }

  private:
    void run(Target& target, Points points, at::Tensor owner, bool random, Generator& generator,
             at::Tensor& done, at::Tensor& out) {
        at::Tensor x = points.x.clone(), velocity;
        if (random) random_start(ball_, points.x, false, generator, x);
        for (int64_t i = 0; i < x.size(0); ++i) take_back(row(points.x, i), row(x, i));
        for (int64_t step = 0; step < options_.steps && owner.numel() > 0; ++step) {
            auto pass = mean_gradient(target, x, Loss::kCrossEntropy, points.y, points.wanted,
                                      options_.eot);
            const at::Tensor fooled = points.fooled(pass.logits);
            if (!options_.all_steps && fooled.any().item<bool>()) {
                const at::Tensor keep = settle(fooled, x, owner, done, out);
                keep_rows(keep, {&x, &velocity, &owner, &points.x, &points.y, &points.wanted,
                                 &pass.gradient});
            }
            for_rows(x.size(0), [&](int64_t i) { stop_forbidden(row(pass.gradient, i)); });
            if (options_.momentum > 0) gather_momentum(pass.gradient, velocity);
            for_rows(x.size(0), [&](int64_t i) {
                ascend(ball_, row(points.x, i), row(x, i), row(pass.gradient, i),
                       static_cast<float>(options_.step_size), kL1Sparsity, row(x, i), row_size(x));
                take_back(row(points.x, i), row(x, i));
            });
        }
        if (owner.numel() == 0) return;
        out.index_copy_(0, owner, x);
        if (options_.all_steps) return;
        settle(points.fooled(mean_logits(target, x, options_.eot)), x, owner, done, out);
    }

    // Steps of L2 and L1 are not spent on inputs that cannot follow.
    void stop_forbidden(float* gradient) const {
        for (size_t j = 0; j < options_.moves.size(); ++j) {
            const Move move = options_.moves[j];
            if (move == Move::kNot || (move == Move::kUp && gradient[j] < 0) ||
                (move == Move::kDown && gradient[j] > 0))
                gradient[j] = 0;
        }
    }

    // What may not move goes back to where it was, which leaves the point in ball and box.
    void take_back(const float* center, float* x) const {
        for (size_t j = 0; j < options_.moves.size(); ++j) {
            const Move move = options_.moves[j];
            const bool wrong = (move == Move::kUp && x[j] < center[j]) ||
                               (move == Move::kDown && x[j] > center[j]) || move == Move::kNot;
            if (wrong) x[j] = center[j];
        }
    }

    // velocity = momentum velocity + gradient / |gradient|_1, which then is the direction.
    void gather_momentum(at::Tensor& gradient, at::Tensor& velocity) const {
        const int64_t n = row_size(gradient);
        for_rows(gradient.size(0), [&](int64_t i) {
            const double norm = std::max(row_norm(row(gradient, i), n, Norm::kL1), 1e-30);
            for (int64_t j = 0; j < n; ++j) {
                const double before = velocity.defined() ? row(velocity, i)[j] : 0;
                row(gradient, i)[j] =
                    static_cast<float>(options_.momentum * before + row(gradient, i)[j] / norm);
            }
        });
        velocity = gradient;
    }

    std::string name_;
    EvasionOptions options_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_pgd(const EvasionOptions& options) {
    EvasionOptions full = options;
    if (full.steps == 0) full.steps = 40;
    if (full.restarts == 0) full.restarts = 1;
    if (full.step_size == 0)
        full.step_size =
            std::max(full.epsilon / 10, 2.5 * full.epsilon / static_cast<double>(full.steps));
    return std::make_unique<Pgd>("pgd", full);
}

std::unique_ptr<Attack> make_mi_fgsm(const EvasionOptions& options) {
    EvasionOptions full = options;
    if (full.steps == 0) full.steps = 10;
    if (full.restarts == 0) full.restarts = 1;
    if (full.step_size == 0) full.step_size = full.epsilon / static_cast<double>(full.steps);
    if (full.momentum == 0) full.momentum = 1;
    return std::make_unique<Pgd>("mi-fgsm", full);
}

}  // namespace ward::attack
