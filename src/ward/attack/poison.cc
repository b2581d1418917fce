#include "ward/attack/poison.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

#include "ward/attack/internal/trigger.h"
#include "ward/core/error.h"
#include "ward/nn/network.h"
#include "ward/train/evaluate.h"

namespace ward::attack {
namespace {

constexpr double kRuin = 0.05;         // accuracy lost, above which nobody would use the model
constexpr double kNoiseModeShare = 2;  // wanet: so many examples with other warps per poisoned one

void check(const data::Dataset& data, const PoisonOptions& options) {
    const auto usage = [](const std::string& message) { throw Error(ErrorCode::kUsage, message); };
    const std::vector<std::string> names = poison_names();
    if (std::find(names.begin(), names.end(), options.attack) == names.end()) {
        std::string known;
        for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
        throw Error(ErrorCode::kUsage, "there is no poisoning attack " + options.attack,
                    "known ones: " + known);
    }
    if (!(options.rate > 0 && options.rate < 1))
        usage("the poisoned share must be in (0, 1), got " + std::to_string(options.rate));
    const auto classes = static_cast<int64_t>(data.class_names.size());
    if (data.labels.empty() || classes < 2) {
        throw Error(ErrorCode::kInvalid, "poisoning needs labelled examples of several classes",
                    "name the label column with --label");
    }
    if (options.target_class < 0 || options.target_class >= classes || options.source_class < -1 ||
        options.source_class >= classes)
        usage("the data have classes 0 to " + std::to_string(classes - 1) + ", got target " +
              std::to_string(options.target_class) + ", source " +
              std::to_string(options.source_class));
    if (!has_trigger(options.attack) && options.source_class == options.target_class)
        usage("label-flip from class " + std::to_string(options.source_class) +
              " to the same class changes nothing");
}

// A random share of these rows, increasing.
std::vector<int64_t> chosen(std::vector<int64_t> rows, int64_t count, uint64_t seed) {
    std::mt19937_64 generator(seed);
    for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[generator() % i]);
    rows.resize(std::min<size_t>(rows.size(), static_cast<size_t>(count)));
    std::sort(rows.begin(), rows.end());
    return rows;
}

std::vector<int64_t> rows_with(const data::Dataset& data, int64_t source_class) {
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < data.size(); ++i)
        if (source_class < 0 || data.labels[i] == source_class) rows.push_back(i);
    return rows;
}

void flip_labels(data::Dataset& data, const std::vector<int64_t>& rows,
                 const PoisonOptions& options) {
    const auto classes = static_cast<int64_t>(data.class_names.size());
    std::mt19937_64 generator(options.seed ^ 0x5bd1e995);
    for (const int64_t row : rows) {
        int64_t& label = data.labels[row];
        // With a source class all go to the target; else each to another class at random.
        label = options.source_class >= 0
                    ? options.target_class
                    : (label + 1 + static_cast<int64_t>(generator() % (classes - 1))) % classes;
    }
}

int64_t of_class_count(const data::Dataset& data, const PoisonOptions& options) {
    const auto rows = static_cast<double>(rows_with(data, options.source_class).size());
    return static_cast<int64_t>(std::llround(options.rate * rows));
}

void require_rows(int64_t count, const PoisonOptions& options) {
    if (count > 0) return;
    throw Error(ErrorCode::kUsage,
                "a rate of " + std::to_string(options.rate) + " changes none of the examples",
                "give a larger --rate or more data");
}

double accuracy_of(const model::Model& model, const data::Dataset& data) {
    nn::Network network(model);
    return train::accuracy(train::predict(network, data), data);
}

}  // namespace

std::vector<std::string> poison_names() { return {"badnets", "blended", "wanet", "label-flip"}; }

bool has_trigger(std::string_view attack) { return attack != "label-flip"; }

Poisoned poison(const data::Dataset& data, const PoisonOptions& options) {
    check(data, options);
    Poisoned result{data, {}};
    result.data.digest.clear();
    const auto count =
        static_cast<int64_t>(std::llround(options.rate * static_cast<double>(data.size())));
    require_rows(has_trigger(options.attack) ? count : of_class_count(data, options), options);
    if (!has_trigger(options.attack)) {
        std::vector<int64_t> rows = rows_with(data, options.source_class);
        result.rows = chosen(std::move(rows), of_class_count(data, options), options.seed);
        flip_labels(result.data, result.rows, options);
        return result;
    }
    const Trigger trigger(data, options);
    std::vector<int64_t> all = rows_with(data, -1);
    const bool noise_mode = options.attack == "wanet";
    const auto wanted =
        static_cast<int64_t>(static_cast<double>(count) * (noise_mode ? 1 + kNoiseModeShare : 1));
    result.rows = chosen(std::move(all), wanted, options.seed);
    std::vector<int64_t> order = result.rows;
    std::mt19937_64 generator(options.seed ^ 0x9747b28c);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[generator() % i]);
    for (size_t i = 0; i < order.size(); ++i) {
        if (static_cast<int64_t>(i) < count) {
            trigger.apply(result.data, order[i]);
            result.data.labels[order[i]] = options.target_class;
        } else {
            // Noise mode: another warp keeps its label, so that only the exact one is a trigger.
            trigger.apply_distorted(result.data, order[i], generator());
        }
    }
    return result;
}

data::Dataset with_trigger(const data::Dataset& data, const PoisonOptions& options) {
    check(data, options);
    if (!has_trigger(options.attack)) {
        throw Error(ErrorCode::kUsage, options.attack + " plants no trigger",
                    "its success is the loss of accuracy");
    }
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < data.size(); ++i)
        if (data.labels[i] != options.target_class) rows.push_back(i);
    data::Dataset result = data::select_rows(data, rows);
    const Trigger trigger(data, options);
    for (int64_t i = 0; i < result.size(); ++i) {
        trigger.apply(result, i);
        result.labels[i] = options.target_class;
    }
    return result;
}

PoisonResult run_poison(const data::Dataset& train_data, const data::Dataset& test,
                        const train::TrainOptions& training, const PoisonOptions& options,
                        int64_t trials) {
    if (trials < 1)
        throw Error(ErrorCode::kUsage, "trials must be >= 1, got " + std::to_string(trials));
    const auto start = std::chrono::steady_clock::now();
    PoisonResult result;
    const bool trigger = has_trigger(options.attack);
    const auto n = static_cast<double>(trials);
    for (int64_t trial = 0; trial < trials; ++trial) {
        PoisonOptions poisoning = options;
        poisoning.seed = options.seed + static_cast<uint64_t>(trial);
        train::TrainOptions run = training;
        run.seed = training.seed + static_cast<uint64_t>(trial);
        run.evaluations = 1;
        const Poisoned poisoned = poison(train_data, poisoning);
        result.changed = std::ssize(poisoned.rows);
        const model::Model clean = train::train(train_data, run).model;
        const model::Model victim = train::train(poisoned.data, run).model;
        result.clean_accuracy += accuracy_of(clean, test) / n;
        result.poisoned_accuracies.push_back(accuracy_of(victim, test));
        result.poisoned_accuracy += result.poisoned_accuracies.back() / n;
        if (!trigger) continue;
        const data::Dataset triggered = with_trigger(test, poisoning);
        result.successes.push_back(accuracy_of(victim, triggered));
        result.success += result.successes.back() / n;
        result.success_without_poison += accuracy_of(clean, triggered) / n;
    }
    result.ruined = result.poisoned_accuracy < result.clean_accuracy - kRuin;
    result.succeeded = trigger && !result.ruined && result.success >= 0.5 &&
                       result.success > result.success_without_poison + 0.1;
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

}  // namespace ward::attack
