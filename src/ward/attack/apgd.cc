#include "ward/attack/apgd.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "ward/attack/internal/eot.h"
#include "ward/attack/internal/losses.h"
#include "ward/attack/internal/rows.h"
#include "ward/attack/internal/trials.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr float kMomentum = 0.75f;
constexpr double kRho = 0.75;
constexpr double kFirstSparsity = 0.2, kSparsityDivisor = 1.5;  // L1
constexpr float kLeastL1Step = 0.1f;                            // times epsilon

// A part of the steps in a ball of so many times the radius; the last one is in the ball itself.
struct Stage {
    double radius, share;
};
const std::vector<Stage> kOneStage = {{1, 1}}, kShrinking = {{3, 0.3}, {2, 0.3}, {1, 0.4}};

// When to look back at the progress made.
class Checkpoints {
  public:
    Checkpoints(int64_t steps, bool l1)
        : length_(std::max<int64_t>(1, int64_t(double(steps) * (l1 ? 0.04 : 0.22)))),
          shrink_(l1 ? 0 : std::max<int64_t>(1, int64_t(0.03 * double(steps)))),
          least_(l1 ? length_ : std::max<int64_t>(1, int64_t(0.06 * double(steps)))) {}

    // After one more step: the number of steps since the last checkpoint if this is one, else 0.
    int64_t advance() {
        if (++since_ < length_) return 0;
        since_ = 0;
        const int64_t passed = length_;
        length_ = std::max(least_, length_ - shrink_);
        return passed;
    }

  private:
    int64_t length_, shrink_, least_, since_ = 0;
};

// Everything known of the rows under attack.
struct State {
    Trials trials;
    at::Tensor x, before, gradient;  // current point, the one before it, its gradient
    at::Tensor best, best_gradient;
    at::Tensor loss, best_loss, step;    // {rows} float32
    at::Tensor last_best;                // best_loss at the last checkpoint
    at::Tensor rises;                    // {rows} int64: steps since then that raised the loss
    at::Tensor halved;                   // {rows} bool: at the last checkpoint
    at::Tensor sparsity, last_sparsity;  // {rows} float32: share of inputs; L1

    int64_t rows() const { return x.size(0); }
    void keep(const at::Tensor& rows) {
        keep_rows(rows,
                  {&trials.points.x, &trials.points.y, &trials.points.wanted, &trials.aim,
                   &trials.owner, &x, &before, &gradient, &best, &best_gradient, &loss, &best_loss,
                   &step, &last_best, &rises, &halved, &sparsity, &last_sparsity});
    }
};

float& at_row(const at::Tensor& values, int64_t i) { return values.data_ptr<float>()[i]; }

void copy_row(const at::Tensor& from, const at::Tensor& to, int64_t i) {
    std::copy_n(row(from, i), row_size(from), row(to, i));
}

class Apgd : public Attack {
  public:
    Apgd(std::string name, Loss loss, int64_t target_classes, const EvasionOptions& options,
         ApgdRadii radii)
        : name_(std::move(name)),
          loss_(loss),
          target_classes_(target_classes),
          stages_(radii == ApgdRadii::kShrinking ? kShrinking : kOneStage),
          options_(options),
          ball_(ball_of(options)) {
        if (options_.steps == 0) options_.steps = 100;
        if (options_.restarts == 0) options_.restarts = 1;
    }

    std::string_view name() const override { return name_; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Generator generator(options_.seed);
        at::Tensor out = points.x.clone(), rivals;
        at::Tensor done = torch::zeros({points.size()}, at::kBool);
        int64_t tries = options_.restarts;
        if (target_classes_ > 0) {
            rivals = rival_classes(mean_logits(target, points.x, options_.eot), points.y);
            rivals = rivals.narrow(1, 0, std::min(target_classes_, rivals.size(1)));
            tries *= rivals.size(1);
        }
        for (int64_t t = 0; t < tries;) {
            const int64_t open = (~done).sum().item<int64_t>();
            if (open == 0) break;
            const int64_t count = tries_at_once(open, tries - t, target.rows_at_once());
            run(target, stack_trials(points, done, rivals, t, count), generator, done, out);
            t += count;
        }
        return out;
    }

  private:
    bool l1() const { return ball_.norm == Norm::kL1; }

    void run(Target& target, Trials trials, Generator& generator, at::Tensor& done,
             at::Tensor& out) {
        State s;
        s.trials = std::move(trials);
        s.x = s.trials.points.x.clone();
        int64_t left = options_.steps;
        for (size_t k = 0; k < stages_.size() && s.rows() > 0; ++k) {
            last_stage_ = k + 1 == stages_.size();
            ball_.epsilon = static_cast<float>(stages_[k].radius * options_.epsilon);
            if (k == 0) {
                random_start(ball_, s.trials.points.x, true, generator, s.x);
            } else {
                s.x = s.best;
                for_rows(s.rows(), [&](int64_t r) {
                    project(ball_, row(s.trials.points.x, r), row(s.x, r), row_size(s.x));
                });
            }
            const auto steps = static_cast<int64_t>(
                std::ceil(stages_[k].share * static_cast<double>(options_.steps)));
            climb(target, s, last_stage_ ? left : std::min(left, steps), done, out);
            left -= std::min(left, steps);
        }
    }

    void climb(Target& target, State& s, int64_t steps, at::Tensor& done, at::Tensor& out) {
        s.before = s.x.clone();
        begin(s, look(target, s));
        drop(s, s.x, done, out);
        Checkpoints checkpoints(steps, l1());
        for (int64_t i = 0; i < steps && s.rows() > 0; ++i) {
            move(s, i);
            if (last_stage_ && i + 1 == steps) {  // nothing asks for its gradient
                logits_ = mean_logits(target, s.x, options_.eot);
                drop(s, s.x, done, out);
                break;
            }
            note(s, look(target, s));
            drop(s, s.x, done, out);
            if (const int64_t passed = checkpoints.advance(); passed > 0) look_back(s, passed);
        }
    }

    MeanPass look(Target& target, const State& s) {
        const at::Tensor& aim = s.trials.aim.defined() ? s.trials.aim : s.trials.points.wanted;
        MeanPass pass = mean_gradient(target, s.x, loss_, s.trials.points.y, aim, options_.eot);
        logits_ = pass.logits;
        return pass;
    }

    void begin(State& s, const MeanPass& pass) const {
        const int64_t rows = s.rows();
        s.loss = pass.value;
        s.gradient = pass.gradient;
        s.best = s.x.clone();
        s.best_gradient = s.gradient.clone();
        s.best_loss = s.loss.clone();
        s.last_best = s.loss.clone();
        s.step = torch::full({rows}, (l1() ? 1 : 2) * ball_.epsilon);
        s.rises = torch::zeros({rows}, at::kLong);
        s.halved = torch::ones({rows}, at::kBool);
        if (ball_.epsilon < static_cast<float>(stages_[0].radius * options_.epsilon)) {
            for (int64_t r = 0; r < rows; ++r) take_sparsity(s, s.x, r);
            return;
        }
        s.sparsity = torch::full({rows}, static_cast<float>(kFirstSparsity));
        s.last_sparsity = torch::ones({rows});
    }

    // Rows that fool inside the ball leave.
    void drop(State& s, const at::Tensor& x, at::Tensor& done, at::Tensor& out) const {
        if (!last_stage_) return;
        const at::Tensor fooled = s.trials.points.fooled(logits_);
        if (!fooled.any().item<bool>()) return;
        s.keep(settle(fooled, x, s.trials.owner, done, out));
    }

    // x' = P(x + a (z - x) + (1 - a) (x - before)), z = P(x + step direction); a is 1 at first.
    void move(State& s, int64_t i) const {
        const float a = i == 0 || l1() ? 1.0f : kMomentum;
        const int64_t n = row_size(s.x);
        for_rows(s.rows(), [&](int64_t r) {
            float *x = row(s.x, r), *before = row(s.before, r);
            const float* center = row(s.trials.points.x, r);
            thread_local std::vector<float> z;
            z.resize(n);
            ascend(ball_, center, x, row(s.gradient, r), at_row(s.step, r), at_row(s.sparsity, r),
                   z.data(), n);
            if (a != 1.0f) {
                for (int64_t j = 0; j < n; ++j)
                    z[j] = x[j] + a * (z[j] - x[j]) + (1 - a) * (x[j] - before[j]);
                project(ball_, center, z.data(), n);
            }
            std::copy_n(x, n, before);
            std::copy_n(z.data(), n, x);
        });
    }

    static void note(State& s, const MeanPass& pass) {
        for (int64_t r = 0; r < s.rows(); ++r) {
            const float value = at_row(pass.value, r);
            if (value > at_row(s.loss, r)) ++s.rises.data_ptr<int64_t>()[r];
            at_row(s.loss, r) = value;
        }
        s.gradient = pass.gradient;
        for_rows(s.rows(), [&](int64_t r) {
            if (!(at_row(s.loss, r) > at_row(s.best_loss, r))) return;
            at_row(s.best_loss, r) = at_row(s.loss, r);
            copy_row(s.x, s.best, r);
            copy_row(s.gradient, s.best_gradient, r);
        });
    }

    void look_back(State& s, int64_t passed) const {
        for_rows(s.rows(), [&](int64_t r) {
            if (!(l1() ? adapt_l1(s, r) : adapt(s, r, passed))) return;
            copy_row(s.best, s.x, r);
            copy_row(s.best_gradient, s.gradient, r);
            if (!l1()) return;
            copy_row(s.x, s.before, r);
        });
    }

    // Conditions 1 and 2 of the paper. True: the step was halved, and the row goes back to its
    // best.
    static bool adapt(State& s, int64_t r, int64_t passed) {
        int64_t& rises = s.rises.data_ptr<int64_t>()[r];
        bool& halved = s.halved.data_ptr<bool>()[r];
        const bool few = static_cast<double>(rises) <= kRho * static_cast<double>(passed);
        const bool stale = !halved && at_row(s.last_best, r) >= at_row(s.best_loss, r);
        halved = few || stale;
        at_row(s.last_best, r) = at_row(s.best_loss, r);
        rises = 0;
        if (halved) at_row(s.step, r) /= 2;
        return halved;
    }

    // The share of inputs that this point changes; the next steps move fewer.
    static void take_sparsity(State& s, const at::Tensor& x, int64_t r) {
        const int64_t n = row_size(x);
        const float *point = row(x, r), *center = row(s.trials.points.x, r);
        int64_t changed = 0;
        for (int64_t j = 0; j < n; ++j) changed += point[j] != center[j] ? 1 : 0;
        const float share = static_cast<float>(changed) / static_cast<float>(n);
        at_row(s.sparsity, r) = share / static_cast<float>(kSparsityDivisor);
        at_row(s.last_sparsity, r) = share;
    }

    // The sparsity follows that of the best point; where it still falls the step is reset.
    bool adapt_l1(State& s, int64_t r) const {
        const float last = at_row(s.last_sparsity, r);
        take_sparsity(s, s.best, r);
        const bool falls = at_row(s.last_sparsity, r) < 0.95f * last;
        const float smaller = at_row(s.step, r) / static_cast<float>(kSparsityDivisor);
        at_row(s.step, r) = falls ? ball_.epsilon : std::max(smaller, kLeastL1Step * ball_.epsilon);
        return falls;
    }

    std::string name_;
    Loss loss_;
    int64_t target_classes_;  // 0: no classes to aim at
    std::vector<Stage> stages_;
    EvasionOptions options_;
    Ball ball_;  // of the stage
    bool last_stage_ = true;
    at::Tensor logits_;  // of the current points
};

}  // namespace

std::unique_ptr<Attack> make_apgd_ce(const EvasionOptions& options, ApgdRadii radii) {
    return std::make_unique<Apgd>("apgd-ce", Loss::kCrossEntropy, 0, options, radii);
}

std::unique_ptr<Attack> make_apgd_dlr(const EvasionOptions& options) {
    return std::make_unique<Apgd>("apgd-dlr", Loss::kDlr, 0, options, ApgdRadii::kOne);
}

std::unique_ptr<Attack> make_apgd_t(const EvasionOptions& options, int64_t target_classes,
                                    ApgdRadii radii) {
    return std::make_unique<Apgd>("apgd-t", Loss::kDlr, target_classes, options, radii);
}

}  // namespace ward::attack
