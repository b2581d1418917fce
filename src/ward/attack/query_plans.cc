#include "ward/attack/internal/query_plans.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "ward/attack/internal/rows.h"
#include "ward/attack/internal/surrogate.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

at::Generator generator_of(uint64_t seed) { return at::detail::createCPUGenerator(seed); }

at::Tensor permutation(int64_t n, at::Generator& generator) {
    return at::randperm(n, generator, at::TensorOptions().dtype(at::kLong));
}

// {n} bool, of rows that an earlier run paid for in vain.
at::Tensor lost_rows(const at::Tensor& x, const ExtractionOptions& options) {
    return options.lost ? options.lost(x) : torch::zeros({x.size(0)}, at::kBool);
}

class RandomPlan : public QueryPlan {
  public:
    RandomPlan(const QueryPool& pool, const ExtractionOptions& options) : pool_(pool) {
        at::Generator generator = generator_of(options.seed);
        order_ = permutation(pool.x.size(0), generator);
        // Left out of the order, which else stays: answers of the earlier run are used again.
        const at::Tensor lost = lost_rows(pool.x, options).index_select(0, order_);
        order_ = order_.index_select(0, (~lost).nonzero().flatten());
    }

    at::Tensor next(int64_t count) override {
        count = std::min(count, order_.numel() - used_);
        const at::Tensor rows = order_.narrow(0, used_, count);
        used_ += count;
        return pool_.x.index_select(0, rows);
    }

  private:
    QueryPool pool_;
    at::Tensor order_;
    int64_t used_ = 0;
};

// Gradient bandit over the classes of the pool (Orekondy et al. 2019, section 3.2; Sutton and
// Barto, section 2.8). Rewards are brought to [0, 1] by the range seen so far and averaged.
class BanditPlan : public QueryPlan {
  public:
    BanditPlan(const QueryPool& pool, const ExtractionOptions& options)
        : pool_(pool), generator_(options.seed), copy_(options, options.seed + 1) {
        at::Generator order = generator_of(options.seed);
        const at::Tensor rows = permutation(pool.x.size(0), order);
        const int64_t* row = rows.data_ptr<int64_t>();
        const at::Tensor group = pool.group.contiguous();
        const at::Tensor lost = lost_rows(pool.x, options);
        const int64_t arms = group.max().item<int64_t>() + 1;
        arms_.resize(static_cast<size_t>(arms));
        for (int64_t i = 0; i < rows.numel(); ++i) {
            if (lost.data_ptr<bool>()[row[i]]) continue;
            arms_[static_cast<size_t>(group.data_ptr<int64_t>()[row[i]])].push_back(row[i]);
            ++left_;
        }
        preference_.assign(arms_.size(), 0);
        mean_answer_ = torch::full({options.surrogate.outputs},
                                   1.0 / static_cast<double>(options.surrogate.outputs));
    }

    at::Tensor next(int64_t count) override {
        std::vector<int64_t> rows;
        chosen_.clear();
        for (int64_t i = 0; i < std::min({count, kRound, left_}); ++i) {
            const size_t arm = draw();
            chosen_.push_back(arm);
            rows.push_back(arms_[arm].back());
            arms_[arm].pop_back();
        }
        left_ -= static_cast<int64_t>(rows.size());
        return pool_.x.index_select(0, torch::tensor(rows, at::kLong));
    }

    void learn(const at::Tensor& x, const at::Tensor& answers) override {
        const auto sorted = std::get<0>(answers.sort(1, true));
        const at::Tensor certainty = sorted.select(1, 0) - sorted.select(1, 1);
        const at::Tensor diversity = (answers - mean_answer_).clamp_min(0).sum(1);
        const at::Tensor loss =
            -(answers * at::log_softmax(copy_.logits(x), 1)).sum(1).nan_to_num(0, 0, 0);
        std::vector<double> rewards(chosen_.size());
        int index = 0;
        for (const at::Tensor& part : {certainty, diversity, loss})
            add_reward(part, index++, rewards);
        for (size_t i = 0; i < chosen_.size(); ++i) update(chosen_[i], rewards[i] / 3);
        mean_answer_ = 0.9 * mean_answer_ + 0.1 * answers.mean(0);
        copy_.fit_once(x, answers);
    }

  private:
    static constexpr int64_t kRound = 50;
    static constexpr double kRate = 0.3;

    void add_reward(const at::Tensor& values, int index, std::vector<double>& rewards) {
        auto& [low, high] = range_[index];
        low = std::min(low, values.min().item<double>());
        high = std::max(high, values.max().item<double>());
        const at::Tensor scaled = ((values - low) / std::max(high - low, 1e-9)).contiguous();
        for (size_t i = 0; i < rewards.size(); ++i)
            rewards[i] += static_cast<double>(scaled.data_ptr<float>()[i]);
    }

    std::vector<double> policy() const {
        double most = -1e300, sum = 0;
        for (size_t a = 0; a < arms_.size(); ++a)
            if (!arms_[a].empty()) most = std::max(most, preference_[a]);
        std::vector<double> shares(arms_.size());
        for (size_t a = 0; a < arms_.size(); ++a) {
            shares[a] = arms_[a].empty() ? 0 : std::exp(preference_[a] - most);
            sum += shares[a];
        }
        for (double& share : shares) share /= sum;
        return shares;
    }

    size_t draw() {
        const std::vector<double> shares = policy();
        double left = uniform01(generator_);
        size_t last = 0;
        for (size_t a = 0; a < shares.size(); ++a) {
            if (shares[a] == 0) continue;
            last = a;
            left -= shares[a];
            if (left < 0) break;
        }
        return last;
    }

    void update(size_t arm, double reward) {
        const std::vector<double> shares = policy();
        const double advantage = reward - mean_reward_;
        for (size_t a = 0; a < preference_.size(); ++a)
            preference_[a] += kRate * advantage * ((a == arm ? 1.0 : 0.0) - shares[a]);
        mean_reward_ += (reward - mean_reward_) / static_cast<double>(++rewarded_);
    }

    QueryPool pool_;
    Generator generator_;
    Surrogate copy_;
    std::vector<std::vector<int64_t>> arms_;  // rows not asked yet, per class
    std::vector<double> preference_;
    std::vector<size_t> chosen_;
    at::Tensor mean_answer_;
    std::pair<double, double> range_[3] = {{1e300, -1e300}, {1e300, -1e300}, {1e300, -1e300}};
    double mean_reward_ = 0;
    int64_t rewarded_ = 0, left_ = 0;
};

// Seeds from the pool; then each known input moved along the sign of the copy's derivative for the
// class that the model gave it. Steps change their sign every three rounds (Papernot, McDaniel,
// Goodfellow 2016, section 3.1).
class JacobianPlan : public QueryPlan {
  public:
    JacobianPlan(const QueryPool& pool, const ExtractionOptions& options)
        : options_(options), seeds_(pool, options), generator_(generator_of(options.seed + 1)) {
        // The authors: some ten examples per class, and up to six doublings.
        const int64_t wanted = std::max(options.queries >> 6, 10 * options.surrogate.outputs);
        seed_count_ = std::clamp<int64_t>(wanted, 1, std::min(pool.x.size(0), options.queries));
    }

    at::Tensor next(int64_t count) override {
        if (known_count_ < seed_count_) {
            const at::Tensor x = seeds_.next(std::min(count, seed_count_ - known_count_));
            if (x.size(0) > 0 || known_count_ == 0) return x;
        }
        if (!waiting_.defined() || waiting_.size(0) == used_) augment();
        const int64_t rows = std::min(count, waiting_.size(0) - used_);
        used_ += rows;
        return waiting_.narrow(0, used_ - rows, rows);
    }

    void learn(const at::Tensor& x, const at::Tensor& answers) override {
        known_.push_back(x);
        answers_.push_back(answers);
        known_count_ += x.size(0);
    }

  private:
    void augment() {
        const at::Tensor x = at::cat(known_), answers = at::cat(answers_);
        Surrogate copy(options_, options_.seed + 1 + static_cast<uint64_t>(round_));
        copy.fit(x, answers);
        Target gradients(
            [&](const at::Tensor& rows) { return copy.network().forward(copy.prepared(rows)); });
        const at::Tensor labels = answers.argmax(1);
        int64_t first = 0;
        const auto jacobian = gradients.jacobian(x, [&](const at::Tensor& logits) {
            first += logits.size(0);
            return labels.narrow(0, first - logits.size(0), logits.size(0)).unsqueeze(1);
        });
        const double step = round_ / 3 % 2 == 0 ? options_.step_size : -options_.step_size;
        // Lengths differ by example, or steps to and fro would meet again at the same inputs.
        std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
        shape[0] = x.size(0);
        const at::Tensor lengths =
            step * (options_.upper - options_.lower) * (0.5 + at::rand(shape, generator_));
        waiting_ = (x + lengths * jacobian.gradients.select(1, 0).sign())
                       .clamp(options_.lower, options_.upper);
        waiting_ = waiting_.index_select(0, (~lost_rows(waiting_, options_)).nonzero().flatten());
        used_ = 0;
        ++round_;
    }

    ExtractionOptions options_;
    RandomPlan seeds_;
    at::Generator generator_;
    int64_t seed_count_, known_count_ = 0, used_ = 0, round_ = 0;
    std::vector<at::Tensor> known_, answers_;
    at::Tensor waiting_;
};

}  // namespace

std::unique_ptr<QueryPlan> make_query_plan(const QueryPool& pool,
                                           const ExtractionOptions& options) {
    if (options.attack == "knockoff-adaptive") return std::make_unique<BanditPlan>(pool, options);
    if (options.attack == "jacobian") return std::make_unique<JacobianPlan>(pool, options);
    return std::make_unique<RandomPlan>(pool, options);
}

}  // namespace ward::attack
