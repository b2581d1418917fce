#include "ward/attack/table_attack.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "ward/attack/internal/losses.h"
#include "ward/attack/internal/rows.h"
#include "ward/attack/table_rules.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kMemory = 0.75;      // of gradients, for the choice of categories
constexpr double kL1Sparsity = 0.05;  // as in pgd
constexpr int64_t kTrialRows = 4096;  // rows of one forward pass of the greedy search

bool changed(const TableRules::Group& group, const float* origin, const float* x) {
    return !std::equal(origin + group.first, origin + group.first + group.count, x + group.first);
}

void set_category(const TableRules::Group& group, int64_t value, float* x) {
    std::fill_n(x + group.first, group.count, 0.0f);
    x[group.first + value] = 1;
}

class TableAttack : public Attack {
  public:
    explicit TableAttack(const EvasionOptions& options)
        : options_(options), rules_(*options.table), ball_(ball_of(options)) {}

    std::string_view name() const override { return "table"; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Generator generator(options_.seed);
        at::Tensor out = points.x.clone(), done = torch::zeros({points.size()}, at::kBool);
        for (int64_t restart = 0; restart < options_.restarts; ++restart) {
            const at::Tensor open = (~done).nonzero().flatten();
            if (open.numel() == 0) break;
            run(target, points.select(open), open, restart > 0, generator, done, out);
        }
        const at::Tensor open = (~done).nonzero().flatten();
        if (rules_.changes > 0 && open.numel() > 0)
            search(target, points.select(open), open, done, out);
        return out;
    }

  private:
    void run(Target& target, Points points, at::Tensor owner, bool random, Generator& generator,
             at::Tensor& done, at::Tensor& out) {
        at::Tensor x = points.x.clone(), memory = torch::zeros_like(x);
        at::Tensor best = torch::full({x.size(0)}, -INFINITY), best_x = x.clone();
        if (random) {
            random_start(ball_, points.x, false, generator, x);
            keep_categories(points.x, x);
        }
        for (int64_t step = 0; step <= options_.steps && owner.numel() > 0; ++step) {
            const at::Tensor rows = nearest_rows(rules_, points.x, x, options_);
            auto pass = target.gradient(rows, [&](const at::Tensor& logits, int64_t first) {
                const int64_t n = logits.size(0);
                const at::Tensor aim =
                    points.targeted() ? points.wanted.narrow(0, first, n) : at::Tensor();
                return evaluate_loss(Loss::kCrossEntropy, logits, points.y.narrow(0, first, n), aim)
                    .cotangent;
            });
            const at::Tensor margin =
                evaluate_loss(Loss::kMargin, pass.logits, points.y, points.wanted).value;
            const at::Tensor better = margin > best;
            best_x = at::where(better.unsqueeze(1), rows, best_x);
            best = at::where(better, margin, best);
            const at::Tensor keep = settle(points.fooled(pass.logits), rows, owner, done, out);
            keep_rows(keep, {&x, &memory, &owner, &points.x, &points.y, &points.wanted, &best,
                             &best_x, &pass.gradient});
            for_rows(x.size(0), [&](int64_t i) {
                advance(row(points.x, i), row(pass.gradient, i), row(memory, i), row(x, i));
            });
        }
        if (owner.numel() > 0) out.index_copy_(0, owner, best_x.contiguous());
    }

    void keep_categories(const at::Tensor& origin, at::Tensor& x) const {
        for (const TableRules::Group& group : rules_.groups) {
            x.narrow(1, group.first, group.count).copy_(origin.narrow(1, group.first, group.count));
        }
    }

    // One step of numbers and a new choice of categories.
    void advance(const float* origin, float* gradient, float* memory, float* x) const {
        const int64_t n = rules_.inputs;
        const double norm = std::max(row_norm(gradient, n, Norm::kL1), 1e-30);
        for (int64_t j = 0; j < n; ++j) {
            memory[j] = static_cast<float>(kMemory * memory[j] + gradient[j] / norm);
            if (!can_follow(j, gradient[j])) gradient[j] = 0;
        }
        for (const TableRules::Group& group : rules_.groups) {
            std::fill_n(gradient + group.first, group.count, 0.0f);
            std::copy_n(origin + group.first, group.count, x + group.first);
        }
        ascend(ball_, origin, x, gradient, static_cast<float>(options_.step_size), kL1Sparsity, x,
               n);
        for (int64_t j = 0; j < n; ++j)
            if (x[j] != origin[j] && !can_follow(j, x[j] - origin[j])) x[j] = origin[j];
        choose_categories(origin, memory, x);
    }

    bool can_follow(int64_t input, float direction) const {
        if (options_.moves.empty()) return true;
        const Move move = options_.moves[static_cast<size_t>(input)];
        return move == Move::kFree || (move == Move::kUp && direction > 0) ||
               (move == Move::kDown && direction < 0);
    }

    void choose_categories(const float* origin, const float* memory, float* x) const {
        struct Choice {
            float gain;
            size_t group;
            int64_t value;
        };
        std::vector<Choice> choices;
        for (size_t g = 0; g < rules_.groups.size(); ++g) {
            const TableRules::Group& group = rules_.groups[g];
            if (group.fixed) continue;
            const float* slope = memory + group.first;
            const int64_t now =
                std::max_element(origin + group.first, origin + group.first + group.count) -
                (origin + group.first);
            const int64_t most = std::max_element(slope, slope + group.count) - slope;
            if (slope[most] > slope[now]) choices.push_back({slope[most] - slope[now], g, most});
        }
        std::stable_sort(choices.begin(), choices.end(),
                         [](const Choice& a, const Choice& b) { return a.gain > b.gain; });
        for (size_t k = 0; k < choices.size(); ++k) {
            if (static_cast<int64_t>(k) >= rules_.changes) break;
            set_category(rules_.groups[choices[k].group], choices[k].value, x);
        }
    }

    // Every value of every column that may still change is tried; the best is kept, and so on. It
    // begins with the numbers of the best point so far and the categories of the example.
    void search(Target& target, const Points& points, const at::Tensor& owner, at::Tensor& done,
                at::Tensor& out) {
        at::Tensor x = out.index_select(0, owner).contiguous();
        keep_categories(points.x, x);
        int64_t values = 0;
        for (const TableRules::Group& group : rules_.groups)
            values += group.fixed ? 0 : group.count;
        if (values == 0) return;
        const int64_t block = std::max<int64_t>(1, kTrialRows / values);
        for (int64_t first = 0; first < x.size(0); first += block) {
            const at::Tensor rows = torch::arange(first, std::min(x.size(0), first + block));
            search_block(target, points.select(rows), owner.index_select(0, rows),
                         x.index_select(0, rows).contiguous(), done, out);
        }
    }

    void search_block(Target& target, Points points, at::Tensor owner, at::Tensor x,
                      at::Tensor& done, at::Tensor& out) {
        for (int64_t change = 0; change < rules_.changes && owner.numel() > 0; ++change) {
            std::vector<at::Tensor> trials;
            std::vector<int64_t> of;
            for (int64_t i = 0; i < x.size(0); ++i) add_trials(points.x, x, i, trials, of);
            if (trials.empty()) return;
            const at::Tensor all = at::cat(trials), from = torch::tensor(of, at::kLong);
            const Points each = points.select(from);
            const at::Tensor margin =
                evaluate_loss(Loss::kMargin, target.logits(all), each.y, each.wanted)
                    .value.contiguous();
            std::vector<float> best(static_cast<size_t>(x.size(0)), -INFINITY);
            at::Tensor fooled = torch::zeros({x.size(0)}, at::kBool);
            for (size_t t = 0; t < of.size(); ++t) {
                const float value = margin.data_ptr<float>()[t];
                auto& most = best[static_cast<size_t>(of[t])];
                if (value <= most) continue;
                most = value;
                std::copy_n(row(all, static_cast<int64_t>(t)), rules_.inputs, row(x, of[t]));
                fooled.data_ptr<bool>()[of[t]] = value > 0;
            }
            const at::Tensor keep = settle(fooled, x, owner, done, out);
            keep_rows(keep, {&x, &owner, &points.x, &points.y, &points.wanted});
        }
    }

    void add_trials(const at::Tensor& origin, const at::Tensor& x, int64_t i,
                    std::vector<at::Tensor>& trials, std::vector<int64_t>& of) const {
        for (const TableRules::Group& group : rules_.groups) {
            if (group.fixed || changed(group, row(origin, i), row(x, i))) continue;
            for (int64_t value = 0; value < group.count; ++value) {
                if (row(x, i)[group.first + value] > 0.5f) continue;
                at::Tensor trial = x.narrow(0, i, 1).clone();
                set_category(group, value, trial.data_ptr<float>());
                trials.push_back(std::move(trial));
                of.push_back(i);
            }
        }
    }

    EvasionOptions options_;
    TableRules rules_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_table_attack(const EvasionOptions& options) {
    if (!options.table || options.table->empty()) {
        throw Error(ErrorCode::kUsage, "the attack table is for rows of a table with a schema",
                    "use pgd or autoattack for images and arrays");
    }
    EvasionOptions full = options;
    if (full.steps == 0) full.steps = 40;
    if (full.restarts == 0) full.restarts = 2;
    if (full.step_size == 0)
        full.step_size =
            std::max(full.epsilon / 10, 2.5 * full.epsilon / static_cast<double>(full.steps));
    return std::make_unique<TableAttack>(full);
}

}  // namespace ward::attack
