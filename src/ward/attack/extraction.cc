#include "ward/attack/extraction.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "ward/attack/internal/query_plans.h"
#include "ward/attack/internal/surrogate.h"
#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kQueriesAtOnce = 50;  // what is lost at most when the target fails

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

bool labels_only(const ExtractionOptions& options) {
    return options.answer == Answer::kLabels || options.attack == "copycat" ||
           options.attack == "jacobian";
}

void check(const QueryPool& pool, const at::Tensor& test_x, const ExtractionOptions& options) {
    const auto usage = [](const std::string& message, const std::string& hint = {}) {
        throw Error(ErrorCode::kUsage, message, hint);
    };
    const auto names = extraction_names();
    if (std::find(names.begin(), names.end(), options.attack) == names.end()) {
        std::string known;
        for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
        usage("there is no extraction attack " + options.attack, "choose one of " + known);
    }
    if (options.queries < 1) usage("queries must be > 0, got " + std::to_string(options.queries));
    if (options.top_k < 1 || options.training.epochs < 1 || options.training.batch < 1 ||
        !(options.training.learning_rate > 0) || !(options.price >= 0) || !(options.step_size > 0))
        usage("top k, epochs, batch, learning rate and step size must be > 0, the price >= 0");
    if (!pool.x.defined() || pool.x.size(0) < 2 || !test_x.defined() || test_x.size(0) < 1)
        usage("extraction needs inputs to ask about and test inputs");
    if (options.attack != "jacobian" && pool.x.size(0) < options.queries) {
        usage("the pool has " + std::to_string(pool.x.size(0)) + " inputs for " +
                  std::to_string(options.queries) + " queries",
              "give a larger --pool, or fewer --queries");
    }
    if (options.attack == "knockoff-adaptive" && !pool.group.defined())
        usage("knockoff-adaptive draws by class, and the pool has none", "use knockoff");
    for (const int64_t point : options.curve) {
        if (point < 1 || point > options.queries) {
            usage("points of the curve must be between 1 and " + std::to_string(options.queries) +
                  ", got " + std::to_string(point));
        }
    }
    std::vector<int64_t> shape = pool.x.sizes().vec();
    shape.erase(shape.begin());
    if (!options.prepare && shape != options.surrogate.input_shape) {
        throw Error(ErrorCode::kInvalid, "the pool's inputs do not fit the copy",
                    "choose a network for inputs of their shape");
    }
}

std::vector<int64_t> curve_points(const ExtractionOptions& options) {
    std::vector<int64_t> points = options.curve;
    if (points.empty())
        for (const double share : {0.01, 0.03, 0.1, 0.3})
            points.push_back(static_cast<int64_t>(share * static_cast<double>(options.queries)));
    points.push_back(options.queries);
    std::sort(points.begin(), points.end());
    points.erase(std::unique(points.begin(), points.end()), points.end());
    points.erase(std::remove_if(points.begin(), points.end(), [](int64_t p) { return p < 10; }),
                 points.end());
    if (points.empty()) points.push_back(options.queries);
    return points;
}

class Run {
  public:
    Run(Target& target, const QueryPool& pool, const at::Tensor& test_x, const at::Tensor& test_y,
        const ExtractionOptions& options)
        : target_(target),
          test_x_(test_x),
          test_y_(test_y),
          options_(options),
          plan_(make_query_plan(pool, options)) {}

    ExtractionResult run() {
        start_ = Clock::now();
        leave_out_lost_tests();
        said_ = target_.labels(test_x_);
        describe_target();
        std::vector<int64_t> points = curve_points(options_);
        Progress progress("ask the model", options_.queries, "queries");
        for (const int64_t point : points) {
            try {
                while (result_.queries < point) {
                    ask(std::min(kQueriesAtOnce, point - result_.queries));
                    progress.update(result_.queries);
                }
            } catch (const Error& error) {
                if (answered_.empty() || error.code() == ErrorCode::kInternal) throw;
                result_.partial = error.message();
            }
            measure();
            if (!result_.partial.empty()) break;
        }
        progress.finish();
        return std::move(result_);
    }

  private:
    void leave_out_lost_tests() {
        if (!options_.lost) return;
        const at::Tensor kept = (~options_.lost(test_x_)).nonzero().flatten();
        if (kept.numel() == test_x_.size(0) || kept.numel() == 0) return;
        result_.flags.push_back(std::to_string(test_x_.size(0) - kept.numel()) +
                                " test inputs were sent by a run that died, and are left out");
        test_x_ = test_x_.index_select(0, kept);
        if (test_y_.defined()) test_y_ = test_y_.index_select(0, kept);
    }

    void describe_target() {
        result_.evaluation_queries = test_x_.size(0);
        if (test_y_.defined())
            result_.model_accuracy = (said_ == test_y_).to(at::kDouble).mean().item<double>();
        const at::Tensor counts = at::bincount(said_);
        result_.majority_share =
            static_cast<double>(counts.max().item<int64_t>()) / static_cast<double>(said_.size(0));
        if (said_.max().item<int64_t>() >= options_.surrogate.outputs) {
            throw Error(ErrorCode::kInvalid,
                        "the model says class " + std::to_string(said_.max().item<int64_t>()) +
                            ", and the copy has " + std::to_string(options_.surrogate.outputs),
                        "give the copy as many outputs as the model has");
        }
    }

    at::Tensor answer(const at::Tensor& x) {
        const int64_t classes = options_.surrogate.outputs;
        if (labels_only(options_)) {
            const at::Tensor labels = target_.labels(x);
            return at::one_hot(labels, classes).to(at::kFloat);
        }
        const at::Tensor shares = as_shares(target_.logits(x));
        if (shares.size(1) != classes) {
            throw Error(ErrorCode::kInvalid,
                        "the model has " + std::to_string(shares.size(1)) +
                            " classes, and the copy " + std::to_string(classes),
                        "give the copy as many outputs as the model has");
        }
        return options_.answer == Answer::kTopK ? top_shares(shares, options_.top_k) : shares;
    }

    void ask(int64_t count) {
        const at::Tensor x = plan_->next(count);
        if (x.size(0) == 0) throw Error(ErrorCode::kInvalid, "the pool has no more inputs");
        const Clock::time_point start = Clock::now();
        const at::Tensor answers = answer(x);
        result_.query_seconds += seconds_since(start);
        plan_->learn(x, answers);
        asked_.push_back(x);
        answered_.push_back(answers);
        result_.queries += x.size(0);
    }

    void measure() {
        Surrogate copy(options_, options_.seed);
        copy.fit(at::cat(asked_), at::cat(answered_));
        const at::Tensor labels = copy.logits(test_x_).argmax(1);
        const int64_t same = (labels == said_).sum().item<int64_t>();
        CopyPoint point;
        point.queries = result_.queries;
        point.fidelity = static_cast<double>(same) / static_cast<double>(said_.size(0));
        point.fidelity_interval = clopper_pearson(same, said_.size(0));
        if (test_y_.defined())
            point.accuracy = (labels == test_y_).to(at::kDouble).mean().item<double>();
        point.seconds = seconds_since(start_);
        point.money = options_.price * static_cast<double>(result_.queries);
        result_.curve.push_back(point);
        result_.copy.spec = options_.surrogate;
        result_.copy.weights = copy.network().export_weights();
    }

    Target& target_;
    at::Tensor test_x_, test_y_, said_;
    ExtractionOptions options_;
    std::unique_ptr<QueryPlan> plan_;
    std::vector<at::Tensor> asked_, answered_;
    ExtractionResult result_;
    Clock::time_point start_;
};

}  // namespace

std::vector<std::string> extraction_names() {
    return {"knockoff", "knockoff-adaptive", "copycat", "jacobian"};
}

at::Tensor as_shares(const at::Tensor& outputs) {
    const bool shares =
        (outputs >= 0).all().item<bool>() && (outputs.sum(1) - 1).abs().max().item<float>() < 1e-3f;
    return shares ? outputs : at::softmax(outputs, 1);
}

at::Tensor top_shares(const at::Tensor& shares, int64_t k) {
    const int64_t classes = shares.size(1);
    if (k >= classes) return shares;
    const auto [values, places] = shares.topk(k, 1);
    const at::Tensor rest =
        (1 - values.sum(1, true)).clamp_min(0) / static_cast<double>(classes - k);
    return rest.repeat({1, classes}).scatter(1, places, values);
}

ExtractionResult extract(Target& target, const QueryPool& pool, const at::Tensor& test_x,
                         const at::Tensor& test_y, const ExtractionOptions& options) {
    check(pool, test_x, options);
    return Run(target, pool, test_x, test_y, options).run();
}

}  // namespace ward::attack
