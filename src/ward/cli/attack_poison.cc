// `ward attack poison`: how few changed training examples it takes to plant a backdoor.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "ward/attack/interval.h"
#include "ward/attack/poison.h"
#include "ward/cli/internal/attack.h"
#include "ward/core/error.h"
#include "ward/train/recipes.h"

namespace ward::cli {
namespace {

struct Options {
    DataOptions data;
    RuntimeOptions runtime;
    attack::PoisonOptions poison;
    std::string model = "cnn", optimizer = "sgd";
    double epochs = 3, learning_rate = 0.05, momentum = 0.9;
    int64_t batch = 64, trials = 1;
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

void print_json(const Options& options, const attack::PoisonResult& result) {
    const bool trigger = attack::has_trigger(options.poison.attack);
    nlohmann::ordered_json out = {{"attack", options.poison.attack},
                                  {"rate", options.poison.rate},
                                  {"changed_examples", result.changed},
                                  {"trials", options.trials},
                                  {"clean_accuracy", result.clean_accuracy},
                                  {"poisoned_accuracy", result.poisoned_accuracy},
                                  {"poisoned_accuracy_per_trial", result.poisoned_accuracies}};
    if (trigger) {
        out["target_class"] = options.poison.target_class;
        out["success"] = result.success;
        out["success_per_trial"] = result.successes;
        out["success_without_poison"] = result.success_without_poison;
        out["succeeded"] = result.succeeded;
    }
    out["ruined"] = result.ruined;
    out["seconds"] = result.seconds;
    std::cout << out.dump() << "\n";
}

void print_human(const Options& options, const attack::PoisonResult& result) {
    std::printf("attack          %s, %ld training examples changed (rate %.2f %%), %ld trials\n",
                options.poison.attack.c_str(), static_cast<long>(result.changed),
                100 * options.poison.rate, static_cast<long>(options.trials));
    std::printf("clean accuracy  %.2f %% without, %.2f %% with poison\n",
                100 * result.clean_accuracy, 100 * result.poisoned_accuracy);
    if (attack::has_trigger(options.poison.attack)) {
        std::printf(
            "success         %.2f %% of triggered examples are taken for class %ld; %.2f %% "
            "by a clean model\n",
            100 * result.success, static_cast<long>(options.poison.target_class),
            100 * result.success_without_poison);
        std::printf("verdict         %s\n",
                    result.succeeded ? "the backdoor works"
                    : result.ruined
                        ? "no success: the poisoned model lost so much accuracy that nobody would "
                          "use it"
                        : "no success");
    }
}

void run(const Options& options) {
    apply(options.runtime);
    const data::LoadedData train_part = data::load_dataset(to_request(options.data, "train"));
    log_notes(train_part);
    data::LoadRequest request = to_request(options.data, "test");
    request.preprocessing_json = train_part.dataset.preprocessing_json;
    const data::LoadedData test_part = data::load_dataset(request);
    attack::PoisonOptions poison = options.poison;
    poison.seed = options.seed;
    const attack::PoisonResult result =
        attack::run_poison(train_part.dataset, test_part.dataset,
                           training_of(options, train_part.dataset), poison, options.trials);
    if (options.json) {
        print_json(options, result);
    } else {
        print_human(options, result);
    }
}

void add_poison_options(CLI::App& command, attack::PoisonOptions& poison) {
    command.add_option("--attack", poison.attack, "badnets, blended, wanet or label-flip")
        ->capture_default_str();
    command.add_option("--rate", poison.rate, "Share of the training examples that are changed")
        ->capture_default_str();
    command.add_option("--target-class", poison.target_class, "What the trigger is to mean")
        ->capture_default_str();
    command.add_option("--source-class", poison.source_class,
                       "label-flip: change labels of this class to the target class [any to any]");
    command.add_option("--patch", poison.patch, "badnets: side of the square in pixels")
        ->capture_default_str();
    command.add_option("--opacity", poison.opacity, "blended: weight of the pattern")
        ->capture_default_str();
    command.add_option("--warp", poison.warp, "wanet: strength of the warp")->capture_default_str();
}

}  // namespace

void add_attack_poison_command(CLI::App& attack) {
    auto* command = attack.add_subcommand(
        "poison", "Changed training data: backdoors and flipped labels, measured by training");
    auto options = std::make_shared<Options>();
    add_data_options(*command, options->data);
    add_split_options(*command, options->data);
    add_poison_options(*command, options->poison);
    command->add_option("--model", options->model, "Network of the zoo")->capture_default_str();
    command->add_option("--optimizer", options->optimizer)->capture_default_str();
    command->add_option("--epochs", options->epochs)->capture_default_str();
    command->add_option("--batch", options->batch)->capture_default_str();
    command->add_option("--learning-rate", options->learning_rate)->capture_default_str();
    command->add_option("--momentum", options->momentum)->capture_default_str();
    command->add_option("--trials", options->trials, "Trainings of each kind, other seeds")
        ->capture_default_str();
    command->add_option("--seed", options->seed)->capture_default_str();
    command->add_flag("--json", options->json, "Print one JSON object");
    add_runtime_options(*command, options->runtime);
    command->footer(
        "Examples:\n  ward attack poison --attack badnets --rate 0.01 --data mnist --json\n  ward "
        "attack poison --attack label-flip --source-class 4 --target-class 9 --rate 0.3 --data "
        "digits --model mlp");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
