#include "ward/attack/attribute.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "ward/attack/internal/rows.h"
#include "ward/attack/shadow.h"
#include "ward/core/error.h"

namespace ward::attack {
namespace {

constexpr int64_t kLeastAuxiliary = 10;
constexpr int64_t kTuningRows = 2000;  // of the auxiliary sample, for the weight

using Value = std::vector<float>;  // how the column is encoded

Value value_of(const data::Dataset& data, int64_t row, const std::vector<int64_t>& inputs) {
    Value value;
    for (const int64_t j : inputs) value.push_back(data.inputs[row * data.example_size() + j]);
    return value;
}

struct Marginal {
    std::vector<Value> values;
    std::vector<double> log_prior;
    int64_t mode = 0;
};

Marginal marginal_of(const data::Dataset& auxiliary, const std::vector<int64_t>& inputs,
                     const AttributeOptions& options) {
    std::map<Value, int64_t> counts;
    for (int64_t i = 0; i < auxiliary.size(); ++i) ++counts[value_of(auxiliary, i, inputs)];
    const int64_t values = std::ssize(counts);
    if (values < 2 || values > options.most_values) {
        throw Error(ErrorCode::kInvalid,
                    "column " + options.column + " takes " + std::to_string(values) +
                        " values in the auxiliary sample, expected 2 to " +
                        std::to_string(options.most_values),
                    values < 2 ? "there is nothing to infer"
                               : "choose a column of few values, or put it into bins");
    }
    Marginal marginal;
    int64_t most = 0;
    for (const auto& [value, count] : counts) {
        if (count > most) {
            most = count;
            marginal.mode = std::ssize(marginal.values);
        }
        marginal.values.push_back(value);
        marginal.log_prior.push_back(
            std::log(static_cast<double>(count) / static_cast<double>(auxiliary.size())));
    }
    return marginal;
}

// [value][row]: ln p of the right class where the column has that value.
std::vector<std::vector<double>> likelihoods(const model::Model& target, data::Dataset data,
                                             const std::vector<int64_t>& inputs,
                                             const Marginal& marginal) {
    std::vector<std::vector<double>> result;
    for (const Value& value : marginal.values) {
        for (int64_t i = 0; i < data.size(); ++i)
            for (size_t k = 0; k < inputs.size(); ++k)
                data.inputs[i * data.example_size() + inputs[k]] = value[k];
        result.push_back(confidence_of(target, data).log_p);
    }
    return result;
}

// Which of the values each row has; -1: none of them.
std::vector<int64_t> truth_of(const data::Dataset& data, const std::vector<int64_t>& inputs,
                              const Marginal& marginal) {
    std::vector<int64_t> truth;
    for (int64_t i = 0; i < data.size(); ++i) {
        const auto found = std::lower_bound(marginal.values.begin(), marginal.values.end(),
                                            value_of(data, i, inputs));
        const bool known = found != marginal.values.end() && *found == value_of(data, i, inputs);
        truth.push_back(known ? found - marginal.values.begin() : -1);
    }
    return truth;
}

template <typename Guess>
GuessRate rate_of(const std::vector<int64_t>& truth, int64_t values, const Guess& guess) {
    std::vector<int64_t> right(values, 0), all(values, 0);
    for (size_t i = 0; i < truth.size(); ++i) {
        if (truth[i] < 0) continue;
        ++all[truth[i]];
        right[truth[i]] += guess(i) == truth[i] ? 1 : 0;
    }
    const int64_t hits = std::accumulate(right.begin(), right.end(), int64_t{0});
    const auto rows = std::ssize(truth);
    GuessRate rate{static_cast<double>(hits) / static_cast<double>(rows),
                   clopper_pearson(hits, rows), 0};
    double seen = 0;
    for (int64_t v = 0; v < values; ++v) {
        if (all[v] == 0) continue;
        rate.balanced += static_cast<double>(right[v]) / static_cast<double>(all[v]);
        ++seen;
    }
    if (seen > 0) rate.balanced /= seen;
    return rate;
}

int64_t best_guess(const std::vector<std::vector<double>>& log_p, const Marginal& marginal,
                   size_t i, double prior_weight, double weight) {
    int64_t guess = 0;
    double most = -INFINITY;
    for (size_t v = 0; v < log_p.size(); ++v) {
        const double score = weight * log_p[v][i] + prior_weight * marginal.log_prior[v];
        if (score > most) {
            most = score;
            guess = static_cast<int64_t>(v);
        }
    }
    return guess;
}

// The weight that guesses most of the auxiliary rows; the least of equals.
double tuned_weight(const model::Model& target, const data::Dataset& auxiliary,
                    const std::vector<int64_t>& inputs, const Marginal& marginal,
                    AttributeResult& result) {
    std::vector<int64_t> rows(std::min(auxiliary.size(), kTuningRows));
    std::iota(rows.begin(), rows.end(), 0);
    const data::Dataset data = data::select_rows(auxiliary, rows);
    const auto log_p = likelihoods(target, data, inputs, marginal);
    const std::vector<int64_t> truth = truth_of(data, inputs, marginal);
    const int64_t values = std::ssize(marginal.values);
    result.queries += values * data.size();
    double best = 0, most = -1;
    for (const double weight : {0.0, 0.1, 0.25, 0.5, 1.0, 2.0}) {
        const auto guess = [&](size_t i) { return best_guess(log_p, marginal, i, 1, weight); };
        const double accuracy = rate_of(truth, values, guess).accuracy;
        if (accuracy <= most) continue;
        most = accuracy;
        best = weight;
    }
    return best;
}

AttributeSide attack_side(const model::Model& target, const data::Dataset& data,
                          const std::vector<int64_t>& inputs, const Marginal& marginal,
                          AttributeResult& result) {
    const auto log_p = likelihoods(target, data, inputs, marginal);
    const std::vector<int64_t> truth = truth_of(data, inputs, marginal);
    const int64_t values = std::ssize(marginal.values);
    const auto best = [&](double prior_weight, double weight) {
        return [&, prior_weight, weight](size_t i) {
            return best_guess(log_p, marginal, i, prior_weight, weight);
        };
    };
    result.unknown += std::count(truth.begin(), truth.end(), -1);
    result.queries += values * data.size();
    return {data.size(), rate_of(truth, values, best(1, result.weight)),
            rate_of(truth, values, best(0, 1)),
            rate_of(truth, values, [&](size_t) { return marginal.mode; })};
}

std::vector<int64_t> shuffled_rows(int64_t count, Generator& generator) {
    std::vector<int64_t> rows(count);
    std::iota(rows.begin(), rows.end(), 0);
    for (int64_t i = count; i > 1; --i) std::swap(rows[i - 1], rows[below(generator, i)]);
    return rows;
}

// Wilson's interval of a share.
Interval wilson(double share, double n) {
    const double z = normal_quantile(0.975), z2 = z * z / n;
    const double center = (share + z2 / 2) / (1 + z2);
    const double half = z * std::sqrt(share * (1 - share) / n + z2 / (4 * n)) / (1 + z2);
    return {center - half, center + half};
}

// Newcombe 1998, method 10.
Interval difference(const AttributeSide& a, const AttributeSide& b) {
    const double p = a.uniform.accuracy, q = b.uniform.accuracy;
    const Interval i = wilson(p, double(a.examples)), j = wilson(q, double(b.examples));
    return {p - q - std::hypot(p - i.low, j.high - q), p - q + std::hypot(i.high - p, q - j.low)};
}

void check(const data::Dataset& members, const data::Dataset& others,
           const AttributeOptions& options) {
    if (!(options.auxiliary_share > 0 && options.auxiliary_share < 1) || options.count < 0) {
        throw Error(ErrorCode::kUsage,
                    "the auxiliary share must be in (0, 1) and the count >= 0, got " +
                        std::to_string(options.auxiliary_share) + " and " +
                        std::to_string(options.count));
    }
    if (members.size() < 1 || others.size() < 2 * kLeastAuxiliary) {
        throw Error(ErrorCode::kInvalid,
                    "attributes are inferred for members and at least 20 others, got " +
                        std::to_string(members.size()) + " and " + std::to_string(others.size()));
    }
    if (members.labels.empty() || others.labels.empty())
        throw Error(ErrorCode::kInvalid, "attribute inference needs labelled examples",
                    "name the label column with --label");
}

void add_flags(int64_t claimed, int64_t trained_on, AttributeResult& result) {
    const auto add = [&](const std::string& text) { result.flags.push_back(text); };
    if (claimed > 0 && claimed != trained_on) {
        add("the model was trained on " + std::to_string(claimed) +
            " examples, the training part of these data has " + std::to_string(trained_on) +
            ": who is a member is not known");
    }
    if (result.unknown > 0)
        add(std::to_string(result.unknown) + " rows have a value that the auxiliary sample lacks");
    if (result.members.attack.accuracy <= result.members.baseline.accuracy)
        add("the model tells no more than the marginal of the column");
}

}  // namespace

std::vector<int64_t> inputs_of(const data::Dataset& data, const std::string& column) {
    std::vector<int64_t> inputs;
    std::string some;
    for (size_t j = 0; j < data.feature_names.size(); ++j) {
        const std::string& name = data.feature_names[j];
        if (name == column || name.starts_with(column + "=")) inputs.push_back(int64_t(j));
        const std::string base = name.substr(0, name.find('='));
        if (some.size() < 120 && (", " + some + ",").find(", " + base + ",") == std::string::npos)
            some += (some.empty() ? "" : ", ") + base;
    }
    if (inputs.empty()) {
        throw Error(ErrorCode::kUsage, "the data have no input column " + column,
                    some.empty() ? "attribute inference is for tables" : "there are " + some);
    }
    return inputs;
}

AttributeResult infer_attribute(const model::Model& target, const data::Dataset& members,
                                const data::Dataset& others, const AttributeOptions& options) {
    check(members, others, options);
    const std::vector<int64_t> inputs = inputs_of(members, options.column);
    Generator generator(options.seed);
    const std::vector<int64_t> member_rows = shuffled_rows(members.size(), generator);
    const std::vector<int64_t> other_rows = shuffled_rows(others.size(), generator);
    const int64_t aside = std::clamp<int64_t>(
        std::llround(options.auxiliary_share * static_cast<double>(others.size())), kLeastAuxiliary,
        others.size() - kLeastAuxiliary);
    const auto some = [&](const std::vector<int64_t>& rows, int64_t first) {
        const int64_t left = std::ssize(rows) - first;
        const int64_t count = options.count > 0 ? std::min(options.count, left) : left;
        return std::vector<int64_t>(rows.begin() + first, rows.begin() + first + count);
    };
    const data::Dataset auxiliary = data::select_rows(
        others, std::vector<int64_t>(other_rows.begin(), other_rows.begin() + aside));
    const Marginal marginal = marginal_of(auxiliary, inputs, options);

    AttributeResult result;
    result.values = std::ssize(marginal.values);
    result.auxiliary = aside;
    result.weight = tuned_weight(target, auxiliary, inputs, marginal, result);
    result.members = attack_side(target, data::select_rows(members, some(member_rows, 0)), inputs,
                                 marginal, result);
    result.others = attack_side(target, data::select_rows(others, some(other_rows, aside)), inputs,
                                marginal, result);
    result.advantage = result.members.uniform.accuracy - result.others.uniform.accuracy;
    result.advantage_interval = difference(result.members, result.others);
    add_flags(target.card.training_examples, members.size(), result);
    return result;
}

}  // namespace ward::attack
