#include "ward/attack/clean_label.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

#include "ward/attack/internal/clean_label_craft.h"
#include "ward/attack/internal/trigger.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"
#include "ward/train/evaluate.h"

namespace ward::attack {
namespace {

constexpr double kRuin = 0.05;              // as poison.cc
constexpr size_t kMostTriggered = 500;      // training examples behind the mean gradient of sleeper
constexpr uint64_t kSurrogateSeeds = 5000;  // apart from those of the victims

[[noreturn]] void usage(const std::string& message, const std::string& hint = {}) {
    throw Error(ErrorCode::kUsage, message, hint);
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

void check(const data::Dataset& data, const CleanLabelOptions& options, int64_t trials,
           int64_t trainings) {
    if (!is_clean_label(options.attack)) {
        usage("there is no clean-label attack " + options.attack,
              "known ones: " + joined(clean_label_names()));
    }
    if (data.labels.empty() || data.tokens || data.class_names.size() < 2) {
        throw Error(ErrorCode::kInvalid,
                    "clean-label attacks need labelled examples with inputs that can be moved",
                    "name the label column with --label");
    }
    const auto classes = std::ssize(data.class_names);
    const auto is_class = [&](int64_t label) { return label >= 0 && label < classes; };
    if (!is_class(options.target_class) || !is_class(options.source_class) ||
        options.target_class == options.source_class) {
        usage("source and target must be two of the classes 0 to " + std::to_string(classes - 1) +
              ", got source " + std::to_string(options.source_class) + ", target " +
              std::to_string(options.target_class));
    }
    if (!(options.rate > 0 && options.rate < 1))
        usage("the poisoned share must be in (0, 1), got " + std::to_string(options.rate));
    if (!(options.epsilon > 0 && options.epsilon <= 1))
        usage("epsilon must be in (0, 1] of the box, got " + std::to_string(options.epsilon));
    if (!(options.step_size > 0) || !(options.similarity >= 0) ||
        !(options.watermark >= 0 && options.watermark < 1))
        usage("clean-label attacks need a step size > 0, beta >= 0 and a watermark in [0, 1)");
    if (options.steps < 0 || options.restarts < 0 || options.surrogates < 1 ||
        options.retrainings < -1 || trials < 1 || trainings < 1)
        usage("steps and restarts must be >= 0, surrogates, trials and trainings >= 1");
    if (retrainings_of(options) > 0 && options.restarts > 1)
        usage("surrogates that are trained again on the way allow one start, got " +
                  std::to_string(options.restarts) + " restarts",
              "--retrainings 0 allows more");
}

std::vector<int64_t> shuffled(std::vector<int64_t> rows, uint64_t seed) {
    std::mt19937_64 generator(seed);
    for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[generator() % i]);
    return rows;
}

std::vector<int64_t> some_of(const std::vector<int64_t>& rows, size_t count, uint64_t seed) {
    std::vector<int64_t> chosen = shuffled(rows, seed);
    chosen.resize(std::min(chosen.size(), count));
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

int64_t poisons_of(const data::Dataset& data, const CleanLabelOptions& options) {
    const auto count =
        static_cast<int64_t>(std::llround(options.rate * static_cast<double>(data.size())));
    const int64_t there = std::ssize(rows_of_class(data, options.target_class));
    if (count < 1 || count > there) {
        usage("a rate of " + std::to_string(options.rate) + " makes " + std::to_string(count) +
                  " poisons; class " + std::to_string(options.target_class) + " has " +
                  std::to_string(there) + " examples",
              "between one and all of them can be poisons");
    }
    return count;
}

std::vector<int64_t> classes_of(const model::Model& model, const data::Dataset& data) {
    nn::Network network(model);
    return train::predicted_classes(train::predict(network, data));
}

double share_of(const std::vector<int64_t>& guesses, int64_t label) {
    return static_cast<double>(std::count(guesses.begin(), guesses.end(), label)) /
           static_cast<double>(std::max<size_t>(1, guesses.size()));
}

double accuracy_of(const model::Model& model, const data::Dataset& data) {
    nn::Network network(model);
    return train::accuracy(train::predict(network, data), data);
}

// One trial of one attack: what is trained on, how, and what is to be mistaken.
class Trial {
  public:
    Trial(const data::Dataset& data, const data::Dataset& test, const train::TrainOptions& training,
          const CleanLabelOptions& options)
        : data_(data), test_(test), training_(training), options_(options) {
        training_.evaluations = 1;
        if (options_.attack == "feature-collision") freeze_features();
    }

    CleanLabelTrial run(int64_t trainings) {
        CleanLabelTrial trial;
        const model::Model clean = victim(data_, 0);
        trial.clean_accuracy = accuracy_of(clean, test_);
        choose_mistaken(clean, trial);
        trial.success_without_poison =
            share_of(classes_of(clean, mistaken_), options_.target_class);
        const data::Dataset poisoned = poison(trial);
        for (int64_t i = 0; i < trainings; ++i) {
            const model::Model model = victim(poisoned, i);
            trial.successes.push_back(
                share_of(classes_of(model, mistaken_), options_.target_class));
            trial.accuracies.push_back(accuracy_of(model, test_));
        }
        return trial;
    }

    int64_t changed() const { return std::ssize(rows_); }

  private:
    // The extractor is given, or trained on one half of the data and the victim on the other. The
    // victim keeps all layers but the last.
    void freeze_features() {
        model::Model features;
        if (options_.features != nullptr) {
            features = *options_.features;
        } else {
            std::vector<int64_t> all(static_cast<size_t>(data_.size()));
            std::iota(all.begin(), all.end(), int64_t{0});
            all = shuffled(std::move(all), options_.seed);
            const auto half = all.begin() + std::ssize(all) / 2;
            train::TrainOptions run = training_;
            run.seed = options_.seed + kSurrogateSeeds;
            features = train::train(data::select_rows(data_, {all.begin(), half}), run).model;
            data_ = data::select_rows(data_, {half, all.end()});
        }
        extractor_ = std::make_unique<nn::Network>(feature_extractor(features));
        training_.spec = features.spec;
        auto& layers = training_.spec.layers;
        for (size_t i = 0; i + 1 < layers.size(); ++i) layers[i].frozen = true;
        training_.pretrained = std::move(features.weights);
        training_.batch_size = std::min(training_.batch_size, data_.size());
    }

    model::Model victim(const data::Dataset& data, int64_t i) const {
        train::TrainOptions run = training_;
        run.seed = training_.seed + 97 * options_.seed + static_cast<uint64_t>(i);
        if (extractor_ != nullptr) {  // a last layer of its own
            const std::string last = run.spec.layers.back().name + ".";
            for (auto& [name, weight] : nn::Network(run.spec, run.seed).export_weights())
                if (name.starts_with(last)) run.pretrained[name] = weight;
        }
        return train::train(data, run).model;
    }

    // A test example that the clean model gets right; with a trigger, all of the source class.
    void choose_mistaken(const model::Model& clean, CleanLabelTrial& trial) {
        const std::vector<int64_t> sources = rows_of_class(test_, options_.source_class);
        if (options_.attack == "sleeper") {
            mistaken_ = with_patch(data::select_rows(test_, sources));
            return;
        }
        const std::vector<int64_t> guesses = classes_of(clean, test_);
        std::vector<int64_t> right;
        for (const int64_t row : sources)
            if (guesses[row] == options_.source_class) right.push_back(row);
        if (right.empty())
            usage("no test example of class " + std::to_string(options_.source_class) +
                  " is right without poison: there is nothing to be mistaken");
        trial.target = some_of(right, 1, options_.seed + 11).front();
        mistaken_ = data::select_rows(test_, {trial.target});
    }

    data::Dataset with_patch(data::Dataset examples) const {
        PoisonOptions stamp;
        stamp.attack = "badnets";
        stamp.patch = options_.patch;
        const Trigger trigger(data_, stamp);
        for (int64_t i = 0; i < examples.size(); ++i) trigger.apply(examples, i);
        return examples;
    }

    data::Dataset poison(CleanLabelTrial& trial) {
        const Crafted crafted =
            options_.attack == "feature-collision" ? by_features() : by_gradients();
        const InputBox box = box_of(data_);
        const at::Tensor moves =
            ((crafted.x - take_rows(data_, rows_)) / box.width().clamp_min(1e-12)).abs();
        trial.loss = crafted.loss;
        trial.largest_move = moves.max().item<double>();
        trial.mean_move = std::sqrt(moves.square().mean().item<double>());
        data::Dataset poisoned = data_;
        put_rows(poisoned, rows_, crafted.x);
        return poisoned;
    }

    std::vector<int64_t> random_bases() const {
        return some_of(rows_of_class(data_, options_.target_class),
                       static_cast<size_t>(poisons_of(data_, options_)), options_.seed + 13);
    }

    Crafted by_features() {
        rows_ = random_bases();
        const at::Tensor target = take_rows(mistaken_, {0});
        const at::Tensor bases =
            (1 - options_.watermark) * take_rows(data_, rows_) + options_.watermark * target;
        return collide_features(*extractor_, bases, target, box_of(data_), options_);
    }

    std::vector<nn::Network> surrogates(const data::Dataset& data, uint64_t seed) const {
        std::vector<nn::Network> networks;
        for (int64_t i = 0; i < options_.surrogates; ++i) {
            train::TrainOptions run = training_;
            run.seed = kSurrogateSeeds + seed + static_cast<uint64_t>(i);
            if (options_.staggered) {
                run.epochs *= static_cast<double>(i + 1) / static_cast<double>(options_.surrogates);
            }
            networks.emplace_back(train::train(data, run).model);
            networks.back().set_training(false);
        }
        return networks;
    }

    Crafted by_gradients() {
        std::vector<nn::Network> networks = surrogates(data_, options_.seed);
        MatchingProblem problem;
        problem.box = box_of(data_);
        if (options_.attack == "sleeper") {
            const auto sources = some_of(rows_of_class(data_, options_.source_class),
                                         kMostTriggered, options_.seed + 17);
            const data::Dataset patched = with_patch(data::select_rows(data_, sources));
            std::vector<int64_t> all(sources.size());
            std::iota(all.begin(), all.end(), int64_t{0});
            problem.wanted_x = take_rows(patched, all);
        } else {
            problem.wanted_x = take_rows(mistaken_, {0});
        }
        if (options_.attack == "sleeper" || options_.largest_gradients) {
            rows_ =
                largest_gradients(networks[0], data_, rows_of_class(data_, options_.target_class),
                                  poisons_of(data_, options_));
        } else {
            rows_ = random_bases();
        }
        problem.wanted_labels =
            torch::full({problem.wanted_x.size(0)}, options_.target_class, at::kLong);
        problem.bases = take_rows(data_, rows_);
        problem.labels = torch::full({std::ssize(rows_)}, options_.target_class, at::kLong);
        problem.train = [this](const at::Tensor& poisons, uint64_t seed) {
            data::Dataset poisoned = data_;
            put_rows(poisoned, rows_, poisons);
            return surrogates(poisoned, seed);
        };
        return match_gradients(problem, std::move(networks), options_);
    }

    data::Dataset data_;
    const data::Dataset& test_;
    train::TrainOptions training_;
    CleanLabelOptions options_;
    std::unique_ptr<nn::Network> extractor_;  // feature-collision
    data::Dataset mistaken_;
    std::vector<int64_t> rows_;  // the poisons
};

double mean_of(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) /
           static_cast<double>(std::max<size_t>(1, values.size()));
}

void summarise(CleanLabelResult& result) {
    int64_t obeyed = 0;
    std::vector<double> success, poisoned, clean, without;
    for (const CleanLabelTrial& trial : result.trials) {
        success.push_back(mean_of(trial.successes));
        poisoned.push_back(mean_of(trial.accuracies));
        clean.push_back(trial.clean_accuracy);
        without.push_back(trial.success_without_poison);
        obeyed += success.back() > 0.5 ? 1 : 0;
    }
    result.success = mean_of(success);
    result.poisoned_accuracy = mean_of(poisoned);
    result.clean_accuracy = mean_of(clean);
    result.success_without_poison = mean_of(without);
    result.trial_interval = clopper_pearson(obeyed, std::ssize(result.trials));
    result.ruined = result.poisoned_accuracy < result.clean_accuracy - kRuin;
    result.succeeded = !result.ruined && result.success >= 0.5 &&
                       result.success > result.success_without_poison + 0.1;
}

}  // namespace

std::vector<std::string> clean_label_names() {
    return {"feature-collision", "gradient-matching", "sleeper"};
}

bool is_clean_label(std::string_view attack) {
    const std::vector<std::string> names = clean_label_names();
    return std::find(names.begin(), names.end(), attack) != names.end();
}

CleanLabelResult run_clean_label(const data::Dataset& train, const data::Dataset& test,
                                 const train::TrainOptions& training,
                                 const CleanLabelOptions& options, int64_t trials,
                                 int64_t trainings) {
    check(train, options, trials, trainings);
    (void)poisons_of(train, options);
    const auto start = std::chrono::steady_clock::now();
    CleanLabelResult result;
    for (int64_t i = 0; i < trials; ++i) {
        CleanLabelOptions mine = options;
        mine.seed = options.seed + 1000 * static_cast<uint64_t>(i);
        Trial trial(train, test, training, mine);
        result.trials.push_back(trial.run(trainings));
        result.changed = trial.changed();
    }
    summarise(result);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

}  // namespace ward::attack
