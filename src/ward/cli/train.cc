// `ward train`: from a data set to a model file, privately or not.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ward/audit/group_plan.h"
#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/data_options.h"
#include "ward/cli/internal/local_digest.h"
#include "ward/cli/internal/model_options.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/cli/internal/signals.h"
#include "ward/cli/internal/training_outcome.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"
#include "ward/model/spec.h"
#include "ward/train/recipes.h"
#include "ward/train/trainer.h"

namespace ward::cli {
namespace {

// Flags as given; what is not given comes from the recipe.
struct Options {
    DataOptions data;
    RuntimeOptions runtime;
    std::string model, recipe, out, record, checkpoint, pretrained;
    std::optional<double> epsilon, noise_multiplier, max_epsilon, delta, clipping_norm,
        clip_quantile, clip_rate, count_noise;
    std::string clipping, accountant = "pld", unit;
    int64_t max_per_group = 0;
    bool no_privacy = false;
    std::optional<int64_t> batch, views, shift;
    std::optional<double> epochs, learning_rate, momentum, weight_decay, warmup, ema;
    std::string optimizer, schedule;
    bool flip = false, resume = false, dry_run = false, no_save = false, show_training_loss = false,
         json = false;
    int64_t micro_batch = 0, checkpoint_steps = 0;
    double checkpoint_seconds = 60;
    uint64_t seed = 1;
};

dp::ClippingKind parse_clipping(const std::string& name) {
    if (name == "flat") return dp::ClippingKind::kFlat;
    if (name == "per-layer") return dp::ClippingKind::kPerLayer;
    if (name == "automatic") return dp::ClippingKind::kAutomatic;
    if (name == "adaptive") return dp::ClippingKind::kAdaptive;
    throw Error(ErrorCode::kUsage,
                "clipping must be flat, per-layer, automatic or adaptive, got " + name);
}

dp::Accountant parse_accountant(const std::string& name) {
    if (name == "pld") return dp::Accountant::kPld;
    if (name == "rdp") return dp::Accountant::kRdp;
    throw Error(ErrorCode::kUsage, "accountant must be pld or rdp, got " + name);
}

bool is_private(const Options& options) {
    const int ways = (options.epsilon ? 1 : 0) + (options.noise_multiplier ? 1 : 0) +
                     (options.no_privacy ? 1 : 0);
    if (ways == 1)
        return !options.no_privacy &&
               !(options.epsilon && std::isinf(*options.epsilon) && *options.epsilon > 0);
    if (ways == 0) {
        throw Error(ErrorCode::kUsage, "how private? nothing says",
                    "give --epsilon E, or --noise-multiplier S, or --no-privacy");
    }
    throw Error(ErrorCode::kUsage,
                "--epsilon, --noise-multiplier and --no-privacy exclude each other",
                "give one of them");
}

template <typename T>
void overrule(T& value, const std::optional<T>& flag) {
    if (flag) value = *flag;
}

model::ModelSpec choose_spec(const Options& options, const data::Dataset& data,
                             const train::Recipe& recipe) {
    if (options.model.empty()) return train::spec_for(data, recipe.model, recipe);
    if (!options.model.ends_with(".json")) return train::spec_for(data, options.model, recipe);
    return model::parse_spec(read_text_file(options.model));
}

train::TrainOptions run_options(const Options& options, const data::Dataset& data) {
    const bool private_run = is_private(options);
    const train::Recipe& recipe =
        options.recipe.empty()
            ? train::default_recipe(data, private_run ? options.epsilon : std::nullopt)
            : train::recipe_named(options.recipe);
    train::TrainOptions run = private_run ? train::options_of(recipe)
                                          : train::options_without_privacy(recipe, data.size());
    run.spec = choose_spec(options, data, recipe);
    run.batch_size = std::min(run.batch_size, data.size());
    overrule(run.batch_size, options.batch);
    overrule(run.epochs, options.epochs);
    overrule(run.schedule.learning_rate, options.learning_rate);
    overrule(run.schedule.warmup_fraction, options.warmup);
    overrule(run.optimizer.momentum, options.momentum);
    overrule(run.optimizer.weight_decay, options.weight_decay);
    overrule(run.ema_decay, options.ema);
    overrule(run.augmentation.views, options.views);
    overrule(run.augmentation.shift_pixels, options.shift);
    if (options.flip) run.augmentation.flip_horizontally = true;
    if (!options.optimizer.empty()) run.optimizer.kind = train::parse_optimizer(options.optimizer);
    if (!options.schedule.empty()) run.schedule.kind = train::parse_schedule(options.schedule);
    run.micro_batch = options.micro_batch;
    run.precision = nn::parse_precision(options.runtime.precision);
    run.device = options.runtime.device;
    run.seed = options.seed;
    run.show_training_loss = options.show_training_loss;
    run.checkpoint = options.checkpoint;
    if (!run.checkpoint.empty()) {
        if (!keeps_local_key()) {
            throw Error(
                ErrorCode::kRefused,
                "no key can be kept on this machine, so no checkpoint could be opened again",
                "set WARD_STATE_DIR to a folder of yours, or train without --checkpoint");
        }
        run.data_mark = local_digest(data.digest);
        run.checkpoint_seal = local_digest;
    }
    run.checkpoint_seconds = options.checkpoint_seconds;
    run.checkpoint_steps = options.checkpoint_steps;
    run.resume = options.resume;
    if (!private_run) return run;
    train::PrivacyOptions privacy;
    privacy.target_epsilon = options.epsilon;
    privacy.noise_multiplier = options.noise_multiplier;
    if (options.max_epsilon) {
        if (!options.noise_multiplier || !(*options.max_epsilon > 0)) {
            throw Error(ErrorCode::kUsage,
                        "--max-epsilon is a budget > 0 for a run with --noise-multiplier",
                        "for a run of given length, give --epsilon alone");
        }
        privacy.max_epsilon = *options.max_epsilon;
    }
    privacy.clipping =
        options.clipping.empty() ? recipe.clipping : parse_clipping(options.clipping);
    privacy.clipping_norm = options.clipping_norm.value_or(recipe.clipping_norm);
    overrule(privacy.adaptive.quantile, options.clip_quantile);
    overrule(privacy.adaptive.learning_rate, options.clip_rate);
    overrule(privacy.adaptive.count_noise, options.count_noise);
    if ((options.clip_quantile || options.clip_rate || options.count_noise) &&
        privacy.clipping != dp::ClippingKind::kAdaptive) {
        throw Error(ErrorCode::kUsage,
                    "--clip-quantile, --clip-rate and --count-noise are for adaptive clipping",
                    "add --clipping adaptive");
    }
    privacy.accountant = parse_accountant(options.accountant);
    if (options.delta && !(*options.delta > 0)) {
        throw Error(ErrorCode::kUsage,
                    "delta must be > 0 and < 1, got " + std::to_string(*options.delta),
                    "change --delta");
    }
    privacy.delta = options.delta.value_or(0);
    run.privacy = privacy;
    return run;
}

// Where persons can have several rows, somebody must say whose privacy is meant.
void check_unit(const Options& options, const data::Dataset& data) {
    if (options.unit == "group" && data.groups.empty()) {
        throw Error(ErrorCode::kUsage, "--unit group needs the column that says who a row is of",
                    "name it with --group COLUMN, or declare kind: group in the schema");
    }
    if (options.unit == "row" && options.max_per_group > 0) {
        throw Error(ErrorCode::kUsage, "--max-per-group protects groups, --unit row single rows",
                    "give one of them");
    }
    if (options.unit == "row" || options.max_per_group > 0 || data.groups.empty()) return;
    throw Error(ErrorCode::kUsage,
                "rows of " + data.name + " belong to groups; whose privacy is to be protected?",
                "--max-per-group K protects all rows of a person together, at most K of which are "
                "used; --unit row protects single rows only");
}

// The plan that is claimed, and with it the noise of the run; nothing where rows are the unit.
std::optional<dp::PrivacyPlan> claim_for_groups(const Options& options, const data::Dataset& data,
                                                train::TrainOptions* run) {
    if (!run->privacy) return std::nullopt;
    check_unit(options, data);
    if (options.max_per_group == 0) return std::nullopt;
    if (options.max_epsilon) {
        throw Error(ErrorCode::kUsage,
                    "--max-epsilon counts for single rows, --max-per-group does not",
                    "give --epsilon, or --noise-multiplier with fewer --epochs");
    }
    train::PrivacyOptions& privacy = *run->privacy;
    const std::optional<double> target = privacy.target_epsilon;
    if (target) {
        privacy.target_epsilon.reset();
        privacy.noise_multiplier = 1000;  // any; the target decides
    }
    dp::PrivacyPlan plan =
        audit::plan_for_groups(train::plan_for(*run, data), options.max_per_group, target);
    privacy.noise_multiplier = plan.noise_multiplier();
    return plan;
}

// The result under the plan that is claimed, after a check that it is what ran.
void restate(const dp::PrivacyPlan& claimed, train::TrainResult* result) {
    if (!result->plan || !audit::same_mechanism(*result->plan, claimed))
        throw Error(ErrorCode::kInternal, "the run did not follow the plan for groups");
    for (train::CurvePoint& point : result->curve)
        point.epsilon = claimed.epsilon_after(point.step).upper;
    result->plan = claimed;
}

// What would fail after hours of training had better fail now.
void check_files(const Options& options) {
    if (options.resume && options.checkpoint.empty()) {
        throw Error(ErrorCode::kUsage, "--resume needs the file of the run's checkpoints",
                    "give --checkpoint FILE");
    }
    if (options.out.empty() && !options.dry_run && !options.no_save) {
        throw Error(ErrorCode::kUsage, "nothing says where the model goes",
                    "give --out FILE.safetensors; or --no-save, or --dry-run");
    }
    if (!options.out.empty() && options.no_save)
        throw Error(ErrorCode::kUsage, "--out and --no-save exclude each other",
                    "give one of them");
    const std::string record = record_path({options.out, options.record});
    check_outputs(
        {{"--data", options.data.data},
         {"--schema", options.data.schema},
         {"--model", options.model},
         {"--pretrained", options.pretrained}},
        {{"--out", options.out}, {"--record", record}, {"--checkpoint", options.checkpoint}});
}

void load_pretrained(const std::string& path, const data::Dataset& data, train::TrainOptions& run) {
    if (path.empty()) return;
    model::Model start = model::load_model(path);
    if (run.privacy && start.card.data_digest == local_digest(data.digest)) {
        throw Error(ErrorCode::kRefused,
                    path + " was trained on these very data, which this run would not count",
                    "begin with weights that come from other data, or without --pretrained");
    }
    run.pretrained = std::move(start.weights);
}

// --dry-run: what would be promised, without training.
void print_plan(const std::optional<dp::PrivacyPlan>& claimed, bool json) {
    if (!claimed) {
        if (json)
            std::cout << nlohmann::ordered_json{{"private", false}}.dump(2) << "\n";
        else
            std::cout << kNoPrivacy << "\n";
        return;
    }
    const dp::PrivacyPlan& plan = *claimed;
    if (json) {
        const nlohmann::ordered_json out = {{"private", true},
                                            {"plan", nlohmann::ordered_json::parse(plan.to_json())},
                                            {"statement", plan.statement()},
                                            {"warnings", plan.warnings()}};
        std::cout << out.dump(2) << "\n";
    } else {
        std::cout << plan.statement();
    }
    for (const std::string& warning : plan.warnings()) log_warning(warning);
}

void run(const Options& options, const std::string& command_line) {
    check_files(options);
    is_private(options);  // a usage error before the data is read
    const std::atomic<bool>* stop = options.dry_run ? nullptr : stop_on_signals();
    apply(options.runtime);
    data::LoadRequest request = to_request(options.data, "train");
    request.max_per_group = options.max_per_group;
    const data::LoadedData loaded = data::load_dataset(request);
    log_notes(loaded);
    train::TrainOptions run = run_options(options, loaded.dataset);
    load_pretrained(options.pretrained, loaded.dataset, run);
    const std::optional<dp::PrivacyPlan> groups = claim_for_groups(options, loaded.dataset, &run);
    std::optional<dp::PrivacyPlan> plan = groups;
    if (run.privacy && !groups) plan = train::plan_for(run, loaded.dataset);
    if (options.dry_run) {
        print_plan(plan, options.json);
        return;
    }
    const std::optional<data::LoadedData> test = load_test_part(options.data, loaded.dataset);
    if (plan) {
        if (const std::string limit = group_limit(loaded.dataset, *plan); !limit.empty())
            log_warning("not covered: " + limit);
        for (const std::string& warning : plan->warnings()) log_warning(warning);
    }
    if (groups)
        log_info(
            "while it trains, the epsilon shown is that of single rows; the one for groups "
            "follows");
    run.stop = stop;
    train::TrainResult result = train::train(loaded.dataset, run, test ? &test->dataset : nullptr);
    if (groups) restate(*groups, &result);
    TrainingOutcome outcome{loaded, test, run, std::move(result), command_line, options.runtime};
    finish_training(outcome, {options.out, options.record, options.json});
}

void add_privacy_options(CLI::App& command, Options& o) {
    const char* group = "Privacy (one of the first three)";
    command
        .add_option("--epsilon", o.epsilon, "The guarantee wanted; the noise is computed from it")
        ->group(group);
    command
        .add_option("--noise-multiplier", o.noise_multiplier,
                    "Noise, as a multiple of the clipping norm; epsilon is computed from it")
        ->group(group);
    command
        .add_option("--max-epsilon", o.max_epsilon,
                    "With --noise-multiplier: end the run before it spends more than this")
        ->group(group);
    command.add_flag("--no-privacy", o.no_privacy, "Train without a guarantee")->group(group);
    command
        .add_option("--delta", o.delta,
                    "Probability allowed on top of the factor exp(epsilon); far below 1 / rows "
                    "[1 / (10 rows), rounded down to a power of ten]")
        ->group(group);
    command
        .add_option("--max-per-group", o.max_per_group,
                    "With a group column: protect all rows of a group (a person) together; so many "
                    "are used, the first of the file")
        ->check(CLI::PositiveNumber)
        ->type_name("K")
        ->group(group);
    command
        .add_option(
            "--unit", o.unit,
            "Whose privacy: row or group (with --max-per-group) [group column: must be said]")
        ->check(CLI::IsMember({"row", "group"}))
        ->group(group);
    command.add_option("--clip", o.clipping_norm, "Clipping norm C [recipe]")->group(group);
    command.add_option("--clipping", o.clipping, "flat, per-layer, automatic or adaptive [recipe]")
        ->group(group);
    command
        .add_option("--clip-quantile", o.clip_quantile,
                    "Adaptive clipping: share of gradient norms that C is led to [0.5]")
        ->group(group);
    command.add_option("--clip-rate", o.clip_rate, "Adaptive clipping: how fast C follows [0.2]")
        ->group(group);
    command
        .add_option("--count-noise", o.count_noise,
                    "Adaptive clipping: standard deviation of the noise on the count of norms "
                    "below C, paid for by more noise on the gradient [batch / 20]")
        ->group(group);
    command
        .add_option("--accountant", o.accountant,
                    "How the guarantee is computed: pld (tight) or rdp (older, weaker)")
        ->capture_default_str()
        ->group(group);
    command
        .add_flag("--show-training-loss", o.show_training_loss,
                  "Record the training loss of a non-private run")
        ->group(group);
}

void add_learning_options(CLI::App& command, Options& o) {
    const char* group = "Learning (defaults by recipe)";
    command.add_option("--recipe", o.recipe, "Settings by name, listed below")->group(group);
    command
        .add_option("--pretrained", o.pretrained,
                    "Begin with the weights of this model file (same layers; activations may "
                    "differ), not with random ones. A guarantee does not cover its training data")
        ->group(group);
    command.add_option("--batch", o.batch, "Examples per step (expected number, for private runs)")
        ->group(group);
    command.add_option("--epochs", o.epochs, "Passes through the data")->group(group);
    command.add_option("--learning-rate", o.learning_rate, "At its highest")->group(group);
    command.add_option("--optimizer", o.optimizer, "sgd, adam, adamw or dp-adam")->group(group);
    command.add_option("--schedule", o.schedule, "constant, linear or cosine")->group(group);
    command.add_option("--warmup", o.warmup, "Share of the steps with a rising rate")->group(group);
    command.add_option("--momentum", o.momentum, "Of sgd")->group(group);
    command.add_option("--weight-decay", o.weight_decay, "L2, or decoupled for adamw")
        ->group(group);
    command
        .add_option("--ema", o.ema,
                    "Decay of the moving average of weights that becomes the model; 0: none")
        ->group(group);
    command.add_option("--views", o.views, "Augmented copies per image, averaged before clipping")
        ->group(group);
    command.add_option("--shift", o.shift, "Move copies by up to this many pixels")->group(group);
    command.add_flag("--flip", o.flip, "Mirror copies at random")->group(group);
    command
        .add_option("--seed", o.seed,
                    "Initial weights and order of a non-private run; never noise or sampling")
        ->capture_default_str()
        ->group(group);
}

void add_file_options(CLI::App& command, Options& o) {
    const char* group = "Files";
    command
        .add_option("--out", o.out,
                    "Model file to write (.safetensors); required but for --no-save and --dry-run")
        ->group(group);
    command
        .add_flag("--no-save", o.no_save,
                  "Train and measure only; the model is lost when the run ends")
        ->group(group);
    command.add_option("--record", o.record, "Training record for reports [OUT with .record.json]")
        ->group(group);
    command.add_option("--checkpoint", o.checkpoint, "Keep the state of the run here")
        ->group(group);
    command.add_option("--checkpoint-seconds", o.checkpoint_seconds, "Time between checkpoints")
        ->capture_default_str()
        ->group(group);
    command.add_option("--checkpoint-steps", o.checkpoint_steps, "Also every so many steps")
        ->group(group);
    command.add_flag("--resume", o.resume, "Go on from the checkpoint")->group(group);
    command
        .add_flag("--dry-run", o.dry_run, "Print the privacy plan (with --json: as JSON) and stop")
        ->group(group);
    command.add_flag("--json", o.json, "Print one JSON object about the result")->group(group);
}

std::string recipe_list() {
    std::string text;
    for (const train::Recipe& recipe : train::recipes()) {
        text += "  " + recipe.name +
                std::string(18 - std::min<size_t>(17, recipe.name.size()), ' ') + recipe.summary +
                "\n";
    }
    return text;
}

}  // namespace

void add_train_command(CLI::App& app) {
    auto* command =
        app.add_subcommand("train", "Train a model, with differential privacy or without");
    auto options = std::make_shared<Options>();
    add_data_options(*command, options->data);
    add_split_options(*command, options->data);
    command->add_option(
        "--model", options->model,
        "logistic, mlp, cnn, resnet18-gn, transformer, lstm, or a spec file .json [recipe]");
    add_privacy_options(*command, *options);
    add_learning_options(*command, *options);
    add_file_options(*command, *options);
    add_runtime_options(*command, options->runtime);
    command
        ->add_option("--micro-batch", options->micro_batch,
                     "Examples in memory at once; results are the same [by memory]")
        ->group("Running");
    command->footer("Recipes:\n" + recipe_list() +
                    "\nExamples:\n  ward train --data digits --epsilon 3 --out digits.safetensors\n"
                    "  ward train --data patients.csv --schema patients.yaml --label readmitted "
                    "--epsilon 1 --delta 1e-6 "
                    "--out m.safetensors");
    command->callback([options] { run(*options, command_line()); });
}

}  // namespace ward::cli
