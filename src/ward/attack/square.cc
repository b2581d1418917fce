#include "ward/attack/square.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/attack/internal/margin_search.h"
#include "ward/attack/internal/rows.h"
#include "ward/attack/internal/square_patch.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kFirstShare = 0.8;  // p: of the pixels that one patch covers

// p after `query` of `budget`: halved at fixed places of a budget of 10000.
double patch_share(int64_t query, int64_t budget) {
    static constexpr int64_t kPlaces[] = {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000};
    const int64_t place = query * 10000 / budget;
    double share = kFirstShare;
    for (int64_t bound : kPlaces)
        if (place > bound) share /= 2;
    return share;
}

PatchGeometry geometry_of(const at::Tensor& x) {
    if (x.dim() == 4) return {x.size(1), x.size(2), x.size(3)};
    return {1, row_size(x), 1};
}

class Square : public Attack {
  public:
    explicit Square(const EvasionOptions& options) : options_(options), ball_(ball_of(options)) {
        if (options_.norm == Norm::kL1)
            throw Error(ErrorCode::kUnsupported, "square knows the norms linf and l2",
                        "use apgd-ce for l1");
        if (options_.steps == 0) options_.steps = 5000;
        if (options_.restarts == 0) options_.restarts = 1;
    }

    std::string_view name() const override { return "square"; }
    Access needs() const override { return Access::kScores; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Generator generator(options_.seed);
        at::Tensor out = points.x.clone(), done = torch::zeros({points.size()}, at::kBool);
        for (int64_t restart = 0; restart < options_.restarts; ++restart) {
            const at::Tensor open = (~done).nonzero().flatten();
            if (open.numel() == 0) break;
            search(target, points.select(open), open, generator, done, out);
        }
        return out;
    }

  private:
    void search(Target& target, Points points, at::Tensor owner, Generator& generator,
                at::Tensor& done, at::Tensor& out) {
        const PatchGeometry geometry = geometry_of(points.x);
        at::Tensor best = points.x.clone();
        for (int64_t i = 0; i < best.size(0); ++i)
            first_pattern(ball_, geometry, row(points.x, i), generator, row(best, i));
        at::Tensor trial = best.clone(), logits = target.logits(trial);
        at::Tensor best_score = margin_of(points, logits);
        std::vector<PatchWindow> windows;
        for (int64_t query = 1;; ++query) {
            const at::Tensor fooled = points.fooled(logits);
            if (fooled.any().item<bool>()) {
                const at::Tensor keep = settle(fooled, trial, owner, done, out);
                keep_rows(keep, {&points.x, &points.y, &points.wanted, &owner, &best, &trial,
                                 &best_score});
            }
            if (query >= options_.steps || owner.numel() == 0) break;
            windows.clear();
            const double share = patch_share(query, options_.steps);
            for (int64_t i = 0; i < trial.size(0); ++i)
                windows.push_back(propose(ball_, geometry, share, row(points.x, i), row(best, i),
                                          generator, row(trial, i)));
            logits = target.logits(trial);
            accept(geometry, windows, margin_of(points, logits), points.fooled(logits), best_score,
                   trial, best);
        }
    }

    // Takes what raised the score over into `best`, and takes the rest back, patch by patch.
    static void accept(const PatchGeometry& geometry, const std::vector<PatchWindow>& windows,
                       const at::Tensor& now, const at::Tensor& fooled, at::Tensor& best_score,
                       at::Tensor& trial, at::Tensor& best) {
        const at::Tensor bits = fooled.contiguous();
        for (int64_t i = 0; i < trial.size(0); ++i) {
            float& known = best_score.data_ptr<float>()[i];
            const float value = now.data_ptr<float>()[i];
            const bool better = value > known || bits.data_ptr<bool>()[i];
            if (better) known = value;
            copy_window(geometry, windows[i], better ? row(trial, i) : row(best, i),
                        better ? row(best, i) : row(trial, i));
        }
    }

    EvasionOptions options_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_square(const EvasionOptions& options) {
    return std::make_unique<Square>(options);
}

}  // namespace ward::attack
