// `ward attack membership`: can an attacker tell who was in the training data?
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ward/attack/membership_run.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/model_file.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"
#include "ward/train/recipes.h"

namespace ward::cli {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kRemoteBlock = 50;  // examples that are lost together when the service fails

struct Options {
    AttackTargetOptions target;
    attack::MembershipRunOptions run;
    bool shadows_given = false;
    std::string like;  // what references are made like
    std::optional<double> epochs, learning_rate;
    std::string roc;
    bool json = false;
};

// The model that --like names, where it is one.
std::optional<model::Model> load_like(const Options& options) {
    const std::string& like = options.like;
    if (like.empty() || like.ends_with(".json") || like.find('.') == std::string::npos) return {};
    return load_model(like, options.target.identities);
}

// How references are trained: as the card of the target says, or of the model that they are to be
// like, or by the recipe for these data.
train::TrainOptions references_like(const Options& options, const AttackTarget& loaded,
                                    const std::optional<model::Model>& like) {
    if (options.like.empty()) return attack::training_of(*loaded.origin);
    if (like) {
        if (like->spec.input_shape != loaded.part.example_shape) {
            throw Error(ErrorCode::kInvalid,
                        options.like + " takes inputs of shape " +
                            model::shape_text(like->spec.input_shape) + ", the data have " +
                            model::shape_text(loaded.part.example_shape),
                        "references see the same data as the target");
        }
        return attack::training_of(*like);
    }
    const train::Recipe& recipe = train::default_recipe(loaded.part, std::nullopt);
    train::TrainOptions run = train::options_without_privacy(recipe, loaded.part.size());
    run.spec = options.like.ends_with(".json") ? model::parse_spec(read_text_file(options.like))
                                               : train::spec_for(loaded.part, options.like, recipe);
    return run;
}

void choose_references(Options& options, const AttackTarget& loaded,
                       const std::optional<model::Model>& like) {
    int64_t& models = options.run.shadows.models;
    const bool labels = loaded.target->access() == attack::Access::kLabels;
    if (labels && !options.shadows_given) models = 0;
    if (models == 0 || labels) return;
    if (!loaded.origin && options.like.empty()) {
        if (options.shadows_given) {
            throw Error(ErrorCode::kUsage,
                        "references must be like the target, and it does not say what it is",
                        "name a model file, a spec file .json or a zoo network with --like");
        }
        log_warning("no references: say with --like what the target is like");
        models = 0;
        return;
    }
    train::TrainOptions& run = options.run.shadows.train;
    run = references_like(options, loaded, like);
    if (options.epochs) run.epochs = *options.epochs;
    if (options.learning_rate) run.schedule.learning_rate = *options.learning_rate;
}

// The attacker's space, in which the target is asked, is that of the data before standardisation.
attack::MembershipTarget target_of(const AttackTarget& loaded) {
    return {.target = *loaded.target,
            .inputs = attacker_inputs,
            .trained_on = loaded.origin ? loaded.origin->card.training_examples : 0,
            .block = loaded.remote ? kRemoteBlock : 0,
            .largest = [&remote = loaded.remote] { return remote ? remote->largest() : 0; }};
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

ordered_json to_json(const attack::RemoteCounts& counts) {
    return {{"queries_sent", counts.sent},        {"from_ledger", counts.from_ledger},
            {"requests", counts.requests},        {"retries", counts.retries},
            {"maybe_paid_twice", counts.unknown}, {"waited_seconds", counts.waited_seconds}};
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
            {"queries", result.queries},
            {"label_queries", result.label_queries},
            {"answer", result.labels_only            ? "labels"
                       : result.answer.probabilities ? "probabilities"
                                                     : "logits"},
            {"answer_step", result.answer.step},
            {"answer_relative_error", result.answer.relative},
            {"answer_largest", result.answer.largest},
            {"answer_rows_off_sum", result.answer.off_sum},
            {"partial", !result.partial.empty()},
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

void warn_of_other_rows(const AttackTarget& loaded) {
    if (!loaded.origin) return;
    const int64_t claimed = loaded.origin->card.training_examples;
    if (claimed <= 0 || claimed == loaded.part.size()) return;
    log_warning("the model was trained on " + std::to_string(claimed) +
                " examples, the training part of this data has " +
                std::to_string(loaded.part.size()) +
                ": repeat the --test-fraction and --split-seed of the training");
}

data::Dataset load_others(const Options& options, const AttackTarget& loaded) {
    data::LoadRequest request = to_request(options.target.data, "test");
    request.preprocessing_json = loaded.part.preprocessing_json;
    data::LoadedData others = data::load_dataset(request);
    log_notes(others);
    return std::move(others.dataset);
}

void run(Options options) {
    check_outputs({{"--model", options.target.model}, {"--ledger", options.target.remote.ledger}},
                  {{"--roc", options.roc}});
    options.target.split = "train";
    options.target.count = 1;  // looked at one by one by the attack itself
    options.target.moves_inputs = false;
    const std::optional<model::Model> like = load_like(options);
    if (like) options.target.preprocessing_json = like->card.preprocessing_json;
    const AttackTarget loaded = load_attack_target(options.target);
    warn_of_other_rows(loaded);
    const data::Dataset others = load_others(options, loaded);
    choose_references(options, loaded, like);
    const attack::MembershipResult result =
        attack::run_membership(target_of(loaded), loaded.part, others, options.run);
    if (!options.roc.empty()) write_roc(options.roc, result);
    if (options.json) {
        ordered_json json = to_json(options, result);
        if (loaded.remote) json["service"] = to_json(loaded.remote->counts());
        if (!result.partial.empty()) json["stopped_by"] = result.partial;
        std::cout << json.dump() << "\n";
    } else {
        print_human(result);
    }
    if (loaded.remote) log_counts(*loaded.remote);
    if (!result.partial.empty()) {
        throw Error(ErrorCode::kIo,
                    "only " + std::to_string(result.members) + " members and " +
                        std::to_string(result.others) +
                        " others were answered for: " + result.partial,
                    "what is above is partial; with --ledger the same command goes on");
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
        .add_option(
            "--shadows", run.shadows.models,
            "Reference models to train, an even number; 0: none, as for a target that gives "
            "labels only")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command.add_option(
        "--like", options.like,
        "What references are like, for targets that do not say it or to know less: "
        "a model file of `ward train` (network and training), a spec file .json or a "
        "zoo network (trained by the recipe of these data) [the target's card]");
    command
        .add_option("--epochs", options.epochs, "Passes of a reference over its data [as --like]")
        ->check(CLI::PositiveNumber);
    command.add_option("--learning-rate", options.learning_rate, "Of references [as --like]")
        ->check(CLI::PositiveNumber);
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
    add_attack_model_options(*command, options->target);
    add_attack_options(*command, *options);
    command->add_option("--roc", options->roc, "Write the points of the curves to this CSV file");
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(
        "The members are the training part of the data, the others its test part. A service is "
        "asked once "
        "for each of them (--count) and for the population.\n\nExamples:\n"
        "  ward train --data digits --test-fraction 0.5 --no-privacy --out m.safetensors\n"
        "  ward attack membership --model m.safetensors --data digits --test-fraction 0.5 "
        "--shadows 16 --cache shadows --json\n"
        "  ward attack membership --model m.pt --like mine.safetensors --data mnist\n"
        "  ward attack membership --url https://host --remote-model m --ledger paid.ledger --data "
        "digits --like mlp --count 200\n"
        "  ward attack membership --url https://host --remote-model m --ledger paid.ledger --data "
        "digits --access labels --count 100");
    command->callback([options, command] {
        options->shadows_given = command->count("--shadows") > 0;
        options->run.roc.seed = options->run.shadows.seed;
        options->run.scores.seed = options->run.shadows.seed;
        options->run.labels.seed = options->run.shadows.seed;
        run(*options);
    });
}

}  // namespace ward::cli
