// `ward attack membership`: can an attacker tell who was in the training data?
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ward/attack/membership_run.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/model_file.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"

namespace ward::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
    std::string model;
    IdentityOptions identities;
    DataOptions data;
    RuntimeOptions runtime;
    attack::MembershipRunOptions run;
    std::string roc;
    bool json = false;
};

data::Dataset load_part(const Options& options, const model::Model& model,
                        const std::string& split) {
    data::LoadRequest request = to_request(options.data, split);
    request.preprocessing_json = model.card.preprocessing_json;
    return load_fitting(model, request).dataset;
}

ordered_json pair(const attack::Interval& interval) { return {interval.low, interval.high}; }

ordered_json to_json(const attack::AttackedMembership& attacked) {
    const attack::Roc& roc = attacked.roc;
    ordered_json at = ordered_json::array();
    for (const attack::RateAt& rate : roc.at) {
        at.push_back({{"fpr", rate.wanted},
                      {"fpr_reached", rate.false_positive_rate},
                      {"tpr", rate.true_positive_rate},
                      {"tpr_interval", pair(rate.exact)},
                      {"tpr_at_rate_interval", pair(rate.at_wanted)},
                      {"tpr_bootstrap_interval", pair(rate.bootstrap)},
                      {"resolved", rate.resolved}});
    }
    return {{"attack", attacked.attack},
            {"auc", roc.auc},
            {"auc_interval", pair(roc.auc_interval)},
            {"best_accuracy", roc.best_accuracy},
            {"tpr_at_fpr", at}};
}

ordered_json to_json(const Options& options, const attack::MembershipResult& result) {
    ordered_json attacks = ordered_json::array();
    for (const auto& attacked : result.attacks) attacks.push_back(to_json(attacked));
    return {{"members", result.members},
            {"others", result.others},
            {"population", result.population},
            {"member_accuracy", result.member_accuracy},
            {"other_accuracy", result.other_accuracy},
            {"references", result.references},
            {"references_from_cache", result.references_from_cache},
            {"reference_examples", result.reference_examples},
            {"label_queries", result.label_queries},
            {"gamma", options.run.scores.gamma},
            {"offline_a", options.run.scores.offline_a},
            {"seed", options.run.shadows.seed},
            {"attacks", attacks},
            {"seconds", result.seconds},
            {"flags", result.flags}};
}

void print_human(const attack::MembershipResult& result) {
    std::printf(
        "%ld members, %ld others, %ld in the population, %ld references (%ld from the cache)\n",
        static_cast<long>(result.members), static_cast<long>(result.others),
        static_cast<long>(result.population), static_cast<long>(result.references),
        static_cast<long>(result.references_from_cache));
    std::printf("accuracy of the target: %.2f %% on members, %.2f %% on others\n\n",
                100 * result.member_accuracy, 100 * result.other_accuracy);
    std::printf("%-20s %-24s", "attack", "AUC (95 % interval)");
    for (const attack::RateAt& rate : result.attacks.front().roc.at)
        std::printf(" TPR at %-5g %% FPR        ", 100 * rate.wanted);
    std::printf("\n");
    for (const auto& [name, roc] : result.attacks) {
        std::printf("%-20s %.3f (%.3f to %.3f)  ", name.c_str(), roc.auc, roc.auc_interval.low,
                    roc.auc_interval.high);
        for (const attack::RateAt& rate : roc.at) {
            if (rate.resolved) {
                std::printf(" %6.2f %% (%5.2f to %5.2f)   ", 100 * rate.true_positive_rate,
                            100 * rate.at_wanted.low, 100 * rate.at_wanted.high);
            } else {
                std::printf(" at most %5.2f %%          ", 100 * rate.at_wanted.high);
            }
        }
        std::printf("\n");
    }
    for (const std::string& flag : result.flags) std::printf("flag: %s\n", flag.c_str());
    std::printf(
        "\nAn AUC of 0.5 is guessing. Bounds from below: a stronger attack may find more.\n");
}

void write_roc(const std::string& path, const attack::MembershipResult& result) {
    std::string text = "attack,false_positive_rate,true_positive_rate\n";
    for (const auto& [name, roc] : result.attacks) {
        for (const attack::RocPoint& point : roc.points) {
            text += name + "," + std::to_string(point.false_positive_rate) + "," +
                    std::to_string(point.true_positive_rate) + "\n";
        }
    }
    write_file_atomically(path, std::string_view(text));
}

void run(Options options) {
    apply(options.runtime);
    const model::Model model = load_model(options.model, options.identities);
    const data::Dataset members = load_part(options, model, "train");
    const data::Dataset others = load_part(options, model, "test");
    if (model.card.training_examples > 0 && model.card.training_examples != members.size()) {
        log_warning("the model was trained on " + std::to_string(model.card.training_examples) +
                    " examples, the training part of this data has " +
                    std::to_string(members.size()) +
                    ": repeat the --test-fraction and --split-seed of the training");
    }
    if (options.run.shadows.models > 0) options.run.shadows.train = attack::training_of(model);
    const attack::MembershipResult result =
        attack::run_membership(model, members, others, options.run);
    if (!options.roc.empty()) write_roc(options.roc, result);
    if (options.json) {
        std::cout << to_json(options, result).dump() << "\n";
    } else {
        print_human(result);
    }
}

void add_attack_options(CLI::App& command, Options& options) {
    attack::MembershipRunOptions& run = options.run;
    std::string names;
    for (const std::string& name : attack::membership_attack_names())
        names += (names.empty() ? "" : ", ") + name;
    command
        .add_option("--attacks", run.attacks,
                    names + " [all that the references suffice for, but those by labels]")
        ->delimiter(',');
    command
        .add_option("--shadows", run.shadows.models,
                    "Reference models to train, an even number; 0: none")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command.add_option("--cache", run.shadows.cache,
                       "Folder that keeps the references: none is trained twice, and a run that "
                       "was stopped goes on. Keep it as well as the data");
    command.add_option("--jobs", run.shadows.jobs, "References trained at once [threads]");
    command
        .add_option("--count", run.count,
                    "Attack at most so many members and as many others; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command
        .add_option("--population", run.population_share,
                    "Share of the held-out part that serves as population (attack-p, RMIA)")
        ->capture_default_str();
    command.add_option("--fpr", run.roc.false_positive_rates, "False-positive rates of interest")
        ->delimiter(',')
        ->capture_default_str();
    command.add_option("--gamma", run.scores.gamma, "RMIA: ratio from which one example dominates")
        ->capture_default_str();
    command.add_option("--offline-a", run.scores.offline_a, "RMIA offline: the authors' a")
        ->capture_default_str();
    command
        .add_option("--label-draws", run.labels.draws,
                    "label-noise: noisy copies of each example at each of 8 scales")
        ->capture_default_str();
    command
        .add_option("--label-steps", run.labels.steps,
                    "label-boundary: iterations of HopSkipJump; 10 cost some 2400 queries per "
                    "example, so give --count")
        ->capture_default_str();
    command
        .add_option("--seed", run.shadows.seed, "Of the halves, the references and the bootstrap")
        ->capture_default_str();
}

}  // namespace

void add_attack_membership_command(CLI::App& attack) {
    auto* command = attack.add_subcommand(
        "membership",
        "Who was in the training data: LiRA, RMIA, quantile regression, by labels alone, "
        "and simpler attacks");
    auto options = std::make_shared<Options>();
    command->add_option("--model", options->model, "Model file of `ward train` (.safetensors)")
        ->required();
    add_identity_options(*command, options->identities);
    add_data_options(*command, options->data);
    add_split_options(*command, options->data);
    add_attack_options(*command, *options);
    command->add_option("--roc", options->roc, "Write the points of the curves to this CSV file");
    command->add_flag("--json", options->json, "Print one JSON object");
    add_runtime_options(*command, options->runtime);
    command->footer(
        "The members are the training part of the data, the others its test part.\n\nExamples:\n"
        "  ward train --data digits --test-fraction 0.5 --no-privacy --out m.safetensors\n"
        "  ward attack membership --model m.safetensors --data digits --test-fraction 0.5 "
        "--shadows 16 --cache shadows --json");
    command->callback([options] {
        options->run.roc.seed = options->run.shadows.seed;
        options->run.scores.seed = options->run.shadows.seed;
        options->run.labels.seed = options->run.shadows.seed;
        run(*options);
    });
}

}  // namespace ward::cli
