// `ward attack poison`: how few changed training examples it takes to plant a backdoor.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "ward/attack/clean_label.h"
#include "ward/attack/interval.h"
#include "ward/attack/poison.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/attack_flags.h"
#include "ward/cli/internal/model_file.h"
#include "ward/core/error.h"
#include "ward/train/recipes.h"

namespace ward::cli {
namespace {

struct Options {
    DataOptions data;
    RuntimeOptions runtime;
    attack::PoisonOptions poison;
    attack::CleanLabelOptions clean_label;
    IdentityOptions identities;
    std::optional<double> rate;
    std::string pretrained;
    std::string model = "cnn", optimizer = "sgd";
    double epochs = 3, learning_rate = 0.05, momentum = 0.9;
    int64_t batch = 64, trials = 1, trainings = 1;
    uint64_t seed = 1;
    bool json = false;
};

train::TrainOptions training_of(const Options& options, const data::Dataset& data) {
    const train::Recipe& recipe = train::default_recipe(data, std::nullopt);
    train::TrainOptions run;
    run.spec = train::spec_for(data, options.model, recipe);
    run.optimizer.kind = train::parse_optimizer(options.optimizer);
    run.optimizer.momentum = options.momentum;
    run.schedule = {train::ScheduleKind::kCosine, options.learning_rate, 0.05};
    run.batch_size = std::min(options.batch, data.size());
    run.epochs = options.epochs;
    run.seed = options.seed;
    run.device = options.runtime.device;
    run.precision = nn::parse_precision(options.runtime.precision);
    return run;
}

// What the rate is a share of.
std::string share_of(const attack::PoisonOptions& used) {
    if (attack::has_trigger(used.attack) || used.source_class < 0) return "the training examples";
    return "those of class " + std::to_string(used.source_class);
}

void print_json(const Options& options, const attack::PoisonOptions& used,
                const attack::PoisonResult& result) {
    const bool trigger = attack::has_trigger(used.attack);
    nlohmann::ordered_json out = {{"attack", used.attack},
                                  {"rate", used.rate},
                                  {"rate_is_share_of", share_of(used)},
                                  {"changed_examples", result.changed},
                                  {"trials", options.trials},
                                  {"clean_accuracy", result.clean_accuracy},
                                  {"poisoned_accuracy", result.poisoned_accuracy},
                                  {"poisoned_accuracy_per_trial", result.poisoned_accuracies}};
    if (trigger) {
        out["target_class"] = used.target_class;
        out["success"] = result.success;
        out["success_per_trial"] = result.successes;
        out["success_without_poison"] = result.success_without_poison;
        out["succeeded"] = result.succeeded;
    }
    out["ruined"] = result.ruined;
    out["seconds"] = result.seconds;
    std::cout << out.dump() << "\n";
}

void print_human(const Options& options, const attack::PoisonOptions& used,
                 const attack::PoisonResult& result) {
    std::printf("attack          %s, %ld training examples changed (%.2f %% of %s), %ld trials\n",
                used.attack.c_str(), static_cast<long>(result.changed), 100 * used.rate,
                share_of(used).c_str(), static_cast<long>(options.trials));
    std::printf("clean accuracy  %.2f %% without, %.2f %% with poison\n",
                100 * result.clean_accuracy, 100 * result.poisoned_accuracy);
    if (attack::has_trigger(used.attack)) {
        std::printf(
            "success         %.2f %% of triggered examples are taken for class %ld; %.2f %% "
            "by a clean model\n",
            100 * result.success, static_cast<long>(used.target_class),
            100 * result.success_without_poison);
        std::printf("verdict         %s\n",
                    result.succeeded ? "the backdoor works"
                    : result.ruined
                        ? "no success: the poisoned model lost so much accuracy that nobody would "
                          "use it"
                        : "no success");
    }
}

void print_json(const Options& options, const attack::CleanLabelOptions& used,
                const attack::CleanLabelResult& result) {
    nlohmann::ordered_json trials = nlohmann::ordered_json::array();
    for (const attack::CleanLabelTrial& trial : result.trials) {
        nlohmann::ordered_json one = {{"loss", trial.loss},
                                      {"largest_move", trial.largest_move},
                                      {"mean_move", trial.mean_move},
                                      {"success_per_training", trial.successes},
                                      {"accuracy_per_training", trial.accuracies},
                                      {"clean_accuracy", trial.clean_accuracy},
                                      {"success_without_poison", trial.success_without_poison}};
        if (trial.target >= 0) one["target_example"] = trial.target;
        trials.push_back(std::move(one));
    }
    std::cout << nlohmann::ordered_json{{"attack", used.attack},
                                        {"rate", used.rate},
                                        {"changed_examples", result.changed},
                                        {"source_class", used.source_class},
                                        {"target_class", used.target_class},
                                        {"trials", options.trials},
                                        {"trainings", options.trainings},
                                        {"clean_accuracy", result.clean_accuracy},
                                        {"poisoned_accuracy", result.poisoned_accuracy},
                                        {"success", result.success},
                                        {"trials_won_interval",
                                         {result.trial_interval.low, result.trial_interval.high}},
                                        {"success_without_poison", result.success_without_poison},
                                        {"succeeded", result.succeeded},
                                        {"ruined", result.ruined},
                                        {"per_trial", trials},
                                        {"seconds", result.seconds}}
                     .dump()
              << "\n";
}

void print_human(const Options& options, const attack::CleanLabelOptions& used,
                 const attack::CleanLabelResult& result) {
    const bool sleeper = used.attack == "sleeper";
    std::printf(
        "attack          %s, %ld training examples of class %ld moved (%.2f %% of all), labels "
        "kept; "
        "%ld trials of %ld trainings\n",
        used.attack.c_str(), static_cast<long>(result.changed),
        static_cast<long>(used.target_class), 100 * used.rate, static_cast<long>(options.trials),
        static_cast<long>(options.trainings));
    std::printf("clean accuracy  %.2f %% without, %.2f %% with poison\n",
                100 * result.clean_accuracy, 100 * result.poisoned_accuracy);
    std::printf("success         %.2f %% of %s are taken for class %ld; %.2f %% without poison\n",
                100 * result.success,
                sleeper ? "triggered examples of the source class" : "the chosen test examples",
                static_cast<long>(used.target_class), 100 * result.success_without_poison);
    for (const attack::CleanLabelTrial& trial : result.trials) {
        std::printf("trial           ");
        if (trial.target >= 0) std::printf("test example %ld, ", static_cast<long>(trial.target));
        std::printf("loss %.3g, inputs moved by %.3f of their box (at most %.3f):", trial.loss,
                    trial.mean_move, trial.largest_move);
        for (const double success : trial.successes) std::printf(" %.0f %%", 100 * success);
        std::printf("\n");
    }
    std::printf("trials won      95 %%: %.1f to %.1f %%\n", 100 * result.trial_interval.low,
                100 * result.trial_interval.high);
    std::printf("verdict         %s\n",
                result.succeeded ? "the attack works"
                : result.ruined ? "no success: the victims lost so much accuracy that nobody would "
                                  "use them"
                                : "no success");
}

void run_clean_label(const Options& options, const data::Dataset& train_part,
                     const data::Dataset& test_part) {
    attack::CleanLabelOptions used = options.clean_label;
    used.attack = options.poison.attack;
    if (options.rate) used.rate = *options.rate;
    used.seed = options.seed;
    used.patch = options.poison.patch;
    used.target_class = options.poison.target_class;
    used.source_class = options.poison.source_class >= 0 ? options.poison.source_class
                                                         : (used.target_class == 1 ? 0 : 1);
    model::Model features;
    train::TrainOptions training = training_of(options, train_part);
    if (!options.pretrained.empty()) {
        features = load_model(options.pretrained, options.identities);
        if (features.spec.input_shape != train_part.example_shape ||
            features.spec.outputs != std::ssize(train_part.class_names))
            throw Error(ErrorCode::kInvalid,
                        options.pretrained + " has other inputs or classes than the data");
        training.spec = features.spec;
        used.features = &features;
    }
    const attack::CleanLabelResult result = attack::run_clean_label(
        train_part, test_part, training, used, options.trials, options.trainings);
    if (options.json) {
        print_json(options, used, result);
    } else {
        print_human(options, used, result);
    }
}

const std::vector<FlagUse>& flag_uses() {
    static const std::vector<std::string> kGradients = {"gradient-matching", "sleeper"};
    static const std::vector<std::string> kCleanLabel = {"feature-collision", "gradient-matching",
                                                         "sleeper"};
    static const std::vector<FlagUse> kUses = {
        {"--source-class", {"label-flip", "feature-collision", "gradient-matching", "sleeper"}},
        {"--patch", {"badnets", "sleeper"}},
        {"--opacity", {"blended"}},
        {"--warp", {"wanet"}},
        {"--epsilon", kGradients},
        {"--steps", kCleanLabel},
        {"--restarts", kGradients},
        {"--surrogates", kGradients},
        {"--retrainings", kGradients},
        {"--staggered", kGradients},
        {"--largest-gradients", {"gradient-matching"}},
        {"--beta", {"feature-collision"}},
        {"--watermark", {"feature-collision"}},
        {"--pretrained", {"feature-collision"}},
        {"--trainings", kCleanLabel}};
    return kUses;
}

void check_attack_flags(const CLI::App& command, const std::string& attack) {
    const std::vector<std::string> backdoors = attack::poison_names();
    if (!attack::is_clean_label(attack) &&
        std::find(backdoors.begin(), backdoors.end(), attack) == backdoors.end())
        return;  // said where it is made
    check_flags(command, attack, flag_uses());
    require_positive(command, attack, flag_uses(), {"--steps", "--restarts"});
}

void run(const Options& options) {
    apply(options.runtime);
    const data::LoadedData train_part = data::load_dataset(to_request(options.data, "train"));
    log_notes(train_part);
    data::LoadRequest request = to_request(options.data, "test");
    request.preprocessing_json = train_part.dataset.preprocessing_json;
    const data::LoadedData test_part = data::load_dataset(request);
    if (attack::is_clean_label(options.poison.attack))
        return run_clean_label(options, train_part.dataset, test_part.dataset);
    attack::PoisonOptions poison = options.poison;
    if (options.rate) poison.rate = *options.rate;
    poison.seed = options.seed;
    const attack::PoisonResult result =
        attack::run_poison(train_part.dataset, test_part.dataset,
                           training_of(options, train_part.dataset), poison, options.trials);
    if (options.json) {
        print_json(options, poison, result);
    } else {
        print_human(options, poison, result);
    }
}

void add_poison_options(CLI::App& command, Options& options) {
    attack::PoisonOptions& poison = options.poison;
    command
        .add_option("--attack", poison.attack,
                    "badnets, blended, wanet, label-flip; clean-label: feature-collision, "
                    "gradient-matching, sleeper")
        ->capture_default_str();
    command.add_option(
        "--rate", options.rate,
        "Share of the training examples that are changed; label-flip with --source-class: "
        "share of those of this class [0.05; clean-label: 0.01]");
    command.add_option("--target-class", poison.target_class, "What is to be said in the end")
        ->capture_default_str();
    command.add_option("--source-class", poison.source_class,
                       "label-flip: change labels of this class to the target class [any to any]; "
                       "clean-label: test examples of this class are to be mistaken [1, or 0 where "
                       "the target is 1]");
    command.add_option("--patch", poison.patch, "badnets, sleeper: side of the square in pixels")
        ->capture_default_str();
    command.add_option("--opacity", poison.opacity, "blended: weight of the pattern")
        ->capture_default_str();
    command.add_option("--warp", poison.warp, "wanet: strength of the warp")->capture_default_str();
}

void add_clean_label_options(CLI::App& command, Options& options) {
    attack::CleanLabelOptions& clean = options.clean_label;
    const std::string group = "Clean-label attacks";
    command
        .add_option("--epsilon", clean.epsilon,
                    "Most that an input moves, as a share of the range of inputs (gradients)")
        ->capture_default_str()
        ->group(group);
    command
        .add_option("--steps", clean.steps, "Of making the poison [250; feature-collision 1000]")
        ->group(group);
    command
        .add_option("--restarts", clean.restarts,
                    "Starts; the best match counts [4; with retrainings 1]")
        ->group(group);
    command.add_option("--surrogates", clean.surrogates, "Networks whose gradients are matched")
        ->capture_default_str()
        ->group(group);
    command
        .add_flag(
            "--staggered", clean.staggered,
            "Surrogate i of n is trained for i / n of the epochs: what is matched all along a "
            "training of the victim")
        ->group(group);
    command
        .add_flag("--largest-gradients", clean.largest_gradients,
                  "gradient-matching: poison the examples of the target class with the largest "
                  "gradients, as sleeper does [random ones]")
        ->group(group);
    command
        .add_option("--retrainings", clean.retrainings,
                    "Of the surrogates while poisons are made, with them in the data [0; sleeper "
                    "4]")
        ->check(CLI::NonNegativeNumber)
        ->group(group);
    command
        .add_option("--beta", clean.similarity,
                    "feature-collision: weight of looking like the base")
        ->capture_default_str()
        ->group(group);
    command
        .add_option("--watermark", clean.watermark,
                    "feature-collision: share of the target mixed into each base")
        ->capture_default_str()
        ->group(group);
    command
        .add_option("--pretrained", options.pretrained,
                    "feature-collision: model whose layers but the last are kept [one trained on "
                    "half of the data, and the victim on the other half]")
        ->group(group);
    command
        .add_option("--trainings", options.trainings, "Victims per trial, with seeds of their own")
        ->capture_default_str()
        ->group(group);
    add_identity_options(command, options.identities);
}

}  // namespace

void add_attack_poison_command(CLI::App& attack) {
    auto* command = attack.add_subcommand(
        "poison",
        "Changed training data: backdoors, flipped labels, clean-label attacks; by training");
    auto options = std::make_shared<Options>();
    add_data_options(*command, options->data);
    add_split_options(*command, options->data);
    add_poison_options(*command, *options);
    add_clean_label_options(*command, *options);
    command->add_option("--model", options->model, "Network of the zoo")->capture_default_str();
    command->add_option("--optimizer", options->optimizer, "Of the trainings: sgd, adam or adamw")
        ->capture_default_str();
    command->add_option("--epochs", options->epochs, "Of each training")->capture_default_str();
    command->add_option("--batch", options->batch, "Examples per step")->capture_default_str();
    command->add_option("--learning-rate", options->learning_rate, "At its highest")
        ->capture_default_str();
    command->add_option("--momentum", options->momentum, "Of sgd")->capture_default_str();
    command
        ->add_option("--trials", options->trials,
                     "Repetitions with another poison (clean-label: and another target)")
        ->capture_default_str();
    command->add_option("--seed", options->seed, "Of poison and trainings")->capture_default_str();
    command->add_flag("--json", options->json, "Print one JSON object");
    add_runtime_options(*command, options->runtime);
    command->footer(
        "Examples:\n  ward attack poison --attack badnets --rate 0.01 --data mnist --json\n  ward "
        "attack poison --attack label-flip --source-class 4 --target-class 9 --rate 0.3 --data "
        "digits --model mlp\n  ward attack poison --attack gradient-matching --target-class 3 "
        "--source-class 8 --data mnist --trials 5 --trainings 3");
    command->callback([options, command] {
        check_attack_flags(*command, options->poison.attack);
        run(*options);
    });
}

}  // namespace ward::cli
