#include "ward/attack/quantile_regression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kFolds = 5, kHidden = 64, kMostSteps = 400, kPatience = 40;
constexpr double kLearningRate = 5e-3, kDecay = 1e-2;
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8;  // Adam
constexpr double kMostLogDeviation = 3;  // from that of the population, either way

// Mean and log deviation of standardised odds: {n, 2}.
class Regression {
  public:
    Regression(int64_t features, Generator& generator) {
        const double scale = std::sqrt(2.0 / static_cast<double>(features));
        at::Tensor first = torch::empty({features, kHidden});
        for (int64_t i = 0; i < first.numel(); ++i)
            first.data_ptr<float>()[i] = static_cast<float>(scale * gaussian(generator));
        parameters_ = {first, torch::zeros({kHidden}), torch::zeros({kHidden, 2}),
                       torch::zeros({2})};
        for (at::Tensor& p : parameters_) {
            p.set_requires_grad(true);
            mean_.push_back(torch::zeros_like(p));
            square_.push_back(torch::zeros_like(p));
        }
    }

    at::Tensor operator()(const at::Tensor& x) const {
        const at::Tensor hidden = at::relu(at::matmul(x, parameters_[0]) + parameters_[1]);
        return at::matmul(hidden, parameters_[2]) + parameters_[3];
    }

    // Negative log-likelihood per example, without its constant.
    at::Tensor loss(const at::Tensor& x, const at::Tensor& y) const {
        const at::Tensor out = (*this)(x);
        const at::Tensor log_s = out.select(1, 1).clamp(-kMostLogDeviation, kMostLogDeviation);
        const at::Tensor z = (y - out.select(1, 0)) * at::exp(-log_s);
        return (0.5 * z * z + log_s).mean();
    }

    void step(const at::Tensor& loss, int64_t step) {
        const auto gradients = torch::autograd::grad({loss}, parameters_);
        at::NoGradGuard no_grad;
        const double bias1 = 1 - std::pow(kBeta1, double(step));
        const double bias2 = 1 - std::pow(kBeta2, double(step));
        for (size_t i = 0; i < parameters_.size(); ++i) {
            mean_[i].mul_(kBeta1).add_(gradients[i], 1 - kBeta1);
            square_[i].mul_(kBeta2).addcmul_(gradients[i], gradients[i], 1 - kBeta2);
            parameters_[i].mul_(1 - kLearningRate * kDecay);
            parameters_[i].addcdiv_(mean_[i] / bias1, (square_[i] / bias2).sqrt() + kTiny,
                                    -kLearningRate);
        }
    }

    std::vector<at::Tensor> copy() const {
        std::vector<at::Tensor> result;
        for (const at::Tensor& p : parameters_) result.push_back(p.detach().clone());
        return result;
    }
    void set(std::vector<at::Tensor> parameters) { parameters_ = std::move(parameters); }

  private:
    std::vector<at::Tensor> parameters_, mean_, square_;
};

// Trained on `rows`, kept as it was where the loss on `held_out` was least.
Regression fit(const at::Tensor& x, const at::Tensor& y, const at::Tensor& rows,
               const at::Tensor& held_out, Generator& generator) {
    Regression regression(x.size(1), generator);
    const at::Tensor x_in = x.index_select(0, rows), y_in = y.index_select(0, rows);
    const at::Tensor x_out = x.index_select(0, held_out), y_out = y.index_select(0, held_out);
    std::vector<at::Tensor> best;
    double least = std::numeric_limits<double>::infinity();
    for (int64_t step = 1, since = 0; step <= kMostSteps && since < kPatience; ++step, ++since) {
        const double now = [&] {
            at::NoGradGuard no_grad;
            return regression.loss(x_out, y_out).item<double>();
        }();
        if (now < least) {
            least = now;
            best = regression.copy();
            since = 0;
        }
        regression.step(regression.loss(x_in, y_in), step);
    }
    regression.set(std::move(best));
    return regression;
}

// Columns that vary in the population, as they vary there. Values are cut at 5 deviations: there is
// nothing to learn about an example far from all of the population.
struct Scale {
    at::Tensor mean, deviation;

    explicit Scale(const at::Tensor& x) {
        mean = x.mean(0);
        deviation = x.std(0, false);
        deviation = at::where(deviation > 1e-6, deviation, torch::full_like(deviation, INFINITY));
    }
    at::Tensor operator()(const at::Tensor& x) const {
        return ((x - mean) / deviation).clamp(-5, 5).contiguous();
    }
};

void check(const LabelledOdds& examples, const LabelledOdds& population) {
    for (const LabelledOdds* part : {&examples, &population}) {
        if (part->features.defined() && part->features.dim() == 2 &&
            part->features.size(0) == std::ssize(part->odds) &&
            part->features.size(1) == population.features.size(1))
            continue;
        throw Error(ErrorCode::kInvalid,
                    "quantile regression needs the features of each example, as many for those in "
                    "question as for the population");
    }
    if (std::ssize(population.odds) < kLeastRegressionPopulation) {
        throw Error(ErrorCode::kInvalid, "quantile regression needs a population of at least " +
                                             std::to_string(kLeastRegressionPopulation) +
                                             " examples, got " +
                                             std::to_string(population.odds.size()));
    }
}

at::Tensor shuffled(int64_t count, Generator& generator) {
    at::Tensor order = torch::arange(count);
    for (int64_t i = count; i > 1; --i)
        std::swap(order.data_ptr<int64_t>()[i - 1], order.data_ptr<int64_t>()[below(generator, i)]);
    return order;
}

}  // namespace

at::Tensor regression_features(const data::Dataset& data, int64_t classes) {
    const int64_t inputs = data.example_size(), n = data.size();
    at::Tensor features = torch::zeros({n, inputs + classes});
    for (int64_t i = 0; i < n; ++i) {
        float* to = row(features, i);
        std::copy_n(data.inputs.data() + i * inputs, inputs, to);
        if (data.labels[i] < 0 || data.labels[i] >= classes)
            throw Error(ErrorCode::kInvalid, "label " + std::to_string(data.labels[i]) +
                                                 " is none of the " + std::to_string(classes) +
                                                 " classes");
        to[inputs + data.labels[i]] = 1;
    }
    return features;
}

std::vector<double> quantile_scores(const LabelledOdds& examples, const LabelledOdds& population,
                                    uint64_t seed) {
    check(examples, population);
    const int64_t n = population.features.size(0);
    at::Tensor y = torch::empty({n});
    for (int64_t i = 0; i < n; ++i) y.data_ptr<float>()[i] = static_cast<float>(population.odds[i]);
    const double center = y.mean().item<double>();
    const double spread = std::max(y.std(0, false).item<double>(), 1e-6);
    y = (y - center) / spread;
    const Scale scale(population.features);
    const at::Tensor x = scale(population.features), asked = scale(examples.features);
    Generator generator(seed);
    const at::Tensor order = shuffled(n, generator);
    const at::Tensor fold = torch::arange(n).remainder(kFolds);
    std::vector<double> scores(examples.odds.size(), 0);
    for (int64_t k = 0; k < kFolds; ++k) {
        const Regression regression =
            fit(x, y, order.masked_select(fold != k), order.masked_select(fold == k), generator);
        const at::Tensor out = regression(asked).contiguous();
        for (size_t i = 0; i < scores.size(); ++i) {
            const float* p = row(out, static_cast<int64_t>(i));
            const double log_s = std::clamp<double>(p[1], -kMostLogDeviation, kMostLogDeviation);
            const double odds = (examples.odds[i] - center) / spread;
            scores[i] += (odds - p[0]) * std::exp(-log_s) / static_cast<double>(kFolds);
        }
    }
    return scores;
}

}  // namespace ward::attack
