// `ward attack evasion`: how accurate a model stays when its inputs are moved a little.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ward/attack/evasion.h"
#include "ward/attack/interval.h"
#include "ward/attack/table_rules.h"
#include "ward/audit/metrics.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/attack_flags.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/cli/internal/signals.h"
#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"
#include "ward/nn/torch.h"

namespace ward::cli {
namespace {

constexpr int64_t kRemoteBatch = 50;  // examples that are lost together when the service fails

struct Options {
    AttackTargetOptions target;
    std::string attack = "autoattack";
    std::string norm = "linf";
    attack::EvasionOptions evasion;
    std::optional<int64_t> wanted;
    std::vector<std::string> fixed, growing, shrinking;  // columns
    int64_t changes = 0;                                 // of categories
    bool between_rows = false;
    std::string bits, state;
    std::vector<std::string> others;  // models to transfer to
    bool json = false;
};

struct Transferred {
    std::string model;
    attack::TransferResult result;

    attack::Interval interval() const {
        return attack::clopper_pearson(result.fooled, result.right_on_both);
    }
};

void write_bits(const std::string& path, const std::vector<bool>& robust) {
    std::string text;
    for (const bool bit : robust) text += bit ? "1\n" : "0\n";
    write_file_atomically(path, text);
}

audit::Interval interval_of(const std::vector<bool>& robust) {
    const auto right = static_cast<int64_t>(std::count(robust.begin(), robust.end(), true));
    return audit::wilson_interval(right, static_cast<int64_t>(robust.size()));
}

// JSON has no NaN.
nlohmann::ordered_json number(double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
}

nlohmann::ordered_json to_json(const Transferred& transferred) {
    const attack::Interval interval = transferred.interval();
    return {{"model", transferred.model},
            {"clean_accuracy", transferred.result.clean_accuracy},
            {"robust_accuracy", transferred.result.robust_accuracy},
            {"right_on_both", transferred.result.right_on_both},
            {"success", transferred.result.success()},
            {"success_interval", {interval.low, interval.high}}};
}

nlohmann::ordered_json to_json(const Options& options, const attack::EvasionResult& result,
                               const std::vector<Transferred>& transferred) {
    const audit::Interval interval = interval_of(result.robust);
    nlohmann::ordered_json json = {{"attack", options.attack},
                                   {"norm", options.norm},
                                   {"epsilon", options.evasion.epsilon},
                                   {"seed", options.evasion.seed},
                                   {"examples", result.robust.size()},
                                   {"rows_only", options.evasion.table != nullptr},
                                   {"categories_changed_at_most", options.changes},
                                   {"partial", !result.partial.empty()},
                                   {"resumed_examples", result.resumed},
                                   {"clean_accuracy", result.clean_accuracy},
                                   {"robust_accuracy", result.robust_accuracy},
                                   {"robust_accuracy_interval", {interval.low, interval.high}},
                                   {"robust_accuracy_8bit", number(result.robust_accuracy_8bit)},
                                   {"mean_norm", number(result.mean_norm)},
                                   {"median_norm", number(result.median_norm)},
                                   {"cpu_seconds", result.cpu_seconds},
                                   {"forward_per_example", result.forward_per_example},
                                   {"backward_per_example", result.backward_per_example},
                                   {"rejected", result.rejected},
                                   {"flags", result.flags}};
    for (const Transferred& one : transferred) json["transfer"].push_back(to_json(one));
    return json;
}

void print_human(const Options& options, const attack::EvasionResult& result,
                 const std::vector<Transferred>& transferred) {
    const audit::Interval interval = interval_of(result.robust);
    std::printf("attack           %s, %s, epsilon %g, %zu examples\n", options.attack.c_str(),
                options.norm.c_str(), options.evasion.epsilon, result.robust.size());
    std::printf("clean accuracy   %.2f %%\n", 100 * result.clean_accuracy);
    std::printf("robust accuracy  %.2f %%   (95 %% interval %.2f to %.2f)\n",
                100 * result.robust_accuracy, 100 * interval.low, 100 * interval.high);
    if (std::isfinite(result.robust_accuracy_8bit)) {
        std::printf("                 %.2f %%   when inputs are rounded to 8 bits\n",
                    100 * result.robust_accuracy_8bit);
    }
    if (std::isfinite(result.mean_norm)) {
        std::printf("perturbation     %.4g mean, %.4g median   (%s norm of those that fooled)\n",
                    result.mean_norm, result.median_norm, options.norm.c_str());
    } else {
        std::printf("perturbation     none fooled the model\n");
    }
    std::printf(
        "cost             %.1f CPU seconds, %.1f forward and %.1f backward passes per "
        "example\n",
        result.cpu_seconds, result.forward_per_example, result.backward_per_example);
    if (result.rejected > 0)
        std::printf("rejected         %ld points outside the ball or the box\n",
                    static_cast<long>(result.rejected));
    for (const Transferred& one : transferred) {
        const attack::Interval success = one.interval();
        std::printf(
            "transfer         %s: %.2f %% right, %.2f %% under these points; fooled on %.2f %% "
            "(%.2f to %.2f) of what both get right\n",
            one.model.c_str(), 100 * one.result.clean_accuracy, 100 * one.result.robust_accuracy,
            100 * one.result.success(), 100 * success.low, 100 * success.high);
    }
    for (const std::string& flag : result.flags) std::printf("flag             %s\n", flag.c_str());
    std::printf("\nA bound from above: a stronger attack may find more.\n");
}

// Inputs of these columns; of a category there are several, "column=value".
void restrict(const std::vector<std::string>& columns, attack::Move move,
              const std::vector<std::string>& names, std::vector<attack::Move>& moves) {
    for (const std::string& column : columns) {
        bool found = false;
        for (size_t j = 0; j < names.size(); ++j) {
            if (names[j] != column && !names[j].starts_with(column + "=")) continue;
            found = true;
            moves[j] = move;
        }
        if (!found) {
            throw Error(ErrorCode::kUsage, "no input is made of a column " + column,
                        "ward data describe lists the columns");
        }
    }
}

bool is_table(const data::Dataset& data) {
    return !data.feature_names.empty() && data.example_shape.size() == 1;
}

// Nothing where all inputs are free.
std::vector<attack::Move> moves_of(const Options& options, const data::Dataset& data, bool rows) {
    std::vector<attack::Move> moves;
    if (options.fixed.empty() && options.growing.empty() && options.shrinking.empty() && !rows)
        return moves;
    const std::vector<std::string>& names = data.feature_names;
    if (names.empty()) {
        throw Error(ErrorCode::kUnsupported, "columns can be held only in tables",
                    "leave out --immutable, --increase-only and --decrease-only");
    }
    // Between two categories lies no row.
    const bool free = rows && options.changes > 0;
    for (const std::string& name : names)
        moves.push_back(name.find('=') == std::string::npos || free ? attack::Move::kFree
                                                                    : attack::Move::kNot);
    restrict(options.growing, attack::Move::kUp, names, moves);
    restrict(options.shrinking, attack::Move::kDown, names, moves);
    restrict(options.fixed, attack::Move::kNot, names, moves);
    return moves;
}

// What the attacker can hand in, where the data are a table.
void keep_to_rows(const Options& options, const data::Dataset& data,
                  attack::EvasionOptions& evasion) {
    attack::TableRules rules;
    if (is_table(data)) rules = attack::table_rules(data.preprocessing_json);
    const bool rows = !rules.empty() && !options.between_rows;
    if (options.changes != 0 && !rows) {
        throw Error(ErrorCode::kUsage, "--change-categories is for tables with a schema",
                    "categories of other data are not known");
    }
    evasion.moves = moves_of(options, data, rows);
    evasion.rounds_to_8bit = !is_table(data);
    if (!rows) return;
    rules.changes = options.changes;
    for (attack::TableRules::Group& group : rules.groups) {
        for (int64_t k = 0; k < group.count; ++k)
            if (evasion.moves[static_cast<size_t>(group.first + k)] != attack::Move::kFree)
                group.fixed = true;
    }
    evasion.table = std::make_shared<const attack::TableRules>(std::move(rules));
    if (options.attack != "table" && !options.target.remote.given())
        log_info("points are moved to the nearest row; --attack table looks for rows");
}

// Loads each of the other models and shows it what was found on the first.
std::vector<Transferred> transfer(const Options& options, const AttackTarget& loaded,
                                  const attack::Points& points,
                                  const attack::EvasionResult& result) {
    std::vector<Transferred> all;
    for (const std::string& file : options.others) {
        AttackTargetOptions target = options.target;
        target.model = file;
        target.remote = {};
        target.access.clear();
        const AttackTarget other = load_attack_target(target);
        if (!other.x.sizes().equals(loaded.x.sizes()) || !at::allclose(other.x, loaded.x)) {
            throw Error(ErrorCode::kInvalid,
                        file + " takes other inputs than the model under attack",
                        "points move only between models of the same columns and encoding");
        }
        all.push_back({file, attack::transfer_to(*other.target, points, result)});
    }
    return all;
}

// The flags of budgets, each with the attacks that it changes.
std::vector<FlagUse> flag_uses(attack::Norm norm) {
    std::vector<FlagUse> uses;
    for (const char* flag :
         {"--steps", "--step-size", "--restarts", "--eot", "--momentum", "--random-start"}) {
        std::string option = std::string(flag).substr(2);
        std::replace(option.begin(), option.end(), '-', '_');
        FlagUse use{flag, {}};
        for (const std::string& attack : attack::attack_names()) {
            const std::vector<std::string> known = attack::attack_options(attack, norm);
            if (std::find(known.begin(), known.end(), option) != known.end())
                use.second.push_back(attack);
        }
        uses.push_back(std::move(use));
    }
    return uses;
}

void check_budget(const CLI::App& command, const Options& options) {
    const attack::Norm norm = attack::parse_norm(options.norm);
    attack::attack_options(options.attack, norm);  // a known name
    const std::vector<FlagUse> uses = flag_uses(norm);
    check_flags(command, options.attack, uses);
    require_positive(command, options.attack, uses,
                     {"--steps", "--step-size", "--restarts", "--eot", "--batch"});
}

// Where what is found is kept, and what must be the same to go on there.
void keep_state(Options& options) {
    if (options.state.empty()) return;
    if (options.target.remote.given()) {
        throw Error(ErrorCode::kUsage, "--state is for model files",
                    "of a service --ledger keeps every answer");
    }
    const AttackTargetOptions& target = options.target;
    if (target.model.empty()) return;  // said when it is loaded
    options.evasion.state = options.state;
    options.evasion.target_mark = nlohmann::json{sha256_file(target.model),
                                                 target.mean,
                                                 target.std,
                                                 target.access,
                                                 target.runtime.device,
                                                 target.runtime.precision}
                                      .dump();
    options.evasion.stop = [asked = stop_on_signals()] { return asked->load(); };
}

void run(Options options) {
    check_outputs({{"--model", options.target.model}, {"--ledger", options.target.remote.ledger}},
                  {{"--bits", options.bits}, {"--state", options.state}});
    keep_state(options);
    options.evasion.all_steps = !options.others.empty();
    options.evasion.norm = attack::parse_norm(options.norm);
    AttackTarget loaded = load_attack_target(options.target);
    options.evasion.lower = loaded.lower;
    options.evasion.upper = loaded.upper;
    if (loaded.remote && options.evasion.batch == 0) options.evasion.batch = kRemoteBatch;
    keep_to_rows(options, loaded.part, options.evasion);
    const auto attack = attack::make_attack(options.attack, options.evasion);
    attack::Points points{loaded.x, loaded.y, at::Tensor()};
    if (options.wanted) {
        const int64_t classes = loaded.target->logits(loaded.x.narrow(0, 0, 1)).size(1);
        if (*options.wanted < 0 || *options.wanted >= classes) {
            throw Error(ErrorCode::kUsage, "--target-class must be between 0 and " +
                                               std::to_string(classes - 1) + ", got " +
                                               std::to_string(*options.wanted));
        }
        points = points.select((points.y != *options.wanted).nonzero().flatten());
        points.wanted = torch::full_like(points.y, *options.wanted);
    }
    const attack::EvasionResult result =
        attack::evade(*loaded.target, *attack, points, options.evasion);
    if (!options.bits.empty()) write_bits(options.bits, result.robust);
    const std::vector<Transferred> transferred = transfer(options, loaded, points, result);
    if (options.json) {
        std::cout << to_json(options, result, transferred).dump() << "\n";
    } else {
        print_human(options, result, transferred);
    }
    if (loaded.remote) log_counts(*loaded.remote);
    if (!result.partial.empty()) {
        throw Error(ErrorCode::kIo,
                    "only the first " + std::to_string(result.robust.size()) + " of " +
                        std::to_string(points.size()) +
                        " examples were attacked: " + result.partial,
                    "with --ledger (services) or --state (files) the same command goes on");
    }
}

void add_budget_options(CLI::App& command, attack::EvasionOptions& options) {
    command
        .add_option("--epsilon", options.epsilon,
                    "Radius, in the units of the inputs before standardisation (pixels: 0..1)")
        ->required();
    command.add_option("--steps", options.steps,
                       "Steps, or queries of black-box attacks [the attack's own]");
    command.add_option("--step-size", options.step_size, "Length of a step [its own]");
    command.add_option(
        "--restarts", options.restarts,
        "Restarts; of cw, ead and zoo the rounds that find the weight of the margin, without "
        "which they find little [the attack's own]");
    command.add_option("--eot", options.eot, "Draws per gradient, for models that draw at random")
        ->capture_default_str();
    command.add_option("--momentum", options.momentum,
                       "Decay factor of mi-, ni-, di- and ti-fgsm [1], of pgd [0]");
    command.add_flag("--random-start", options.random_start,
                     "Begin at a random point also in the first run");
    command.add_option("--seed", options.seed, "Seed of starts and proposals")
        ->capture_default_str();
    command.add_option("--batch", options.batch, "Examples attacked together [by their size]");
}

}  // namespace

void add_attack_evasion_command(CLI::App& attack) {
    auto* command = attack.add_subcommand(
        "evasion", "Adversarial examples: accuracy when inputs are moved inside a small ball");
    auto options = std::make_shared<Options>();
    std::string names;
    for (const std::string& name : attack::attack_names())
        names += (names.empty() ? "" : ", ") + name;
    command->add_option("--attack", options->attack, names)->capture_default_str();
    command->add_option("--norm", options->norm, "linf, l2 or l1")->capture_default_str();
    add_budget_options(*command, options->evasion);
    command->add_option("--target-class", options->wanted,
                        "Fool the model into this class only [any wrong one]");
    command
        ->add_option("--immutable", options->fixed,
                     "Tables: columns that the attacker cannot change")
        ->delimiter(',');
    command->add_option("--increase-only", options->growing, "Tables: columns that can only grow")
        ->delimiter(',');
    command
        ->add_option("--decrease-only", options->shrinking, "Tables: columns that can only shrink")
        ->delimiter(',');
    command
        ->add_option("--change-categories", options->changes,
                     "Tables: columns of categories that may take another one; the ball is that of "
                     "the numbers")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command->add_flag("--between-rows", options->between_rows,
                      "Tables: count points that no row can be, too: between categories, between "
                      "whole numbers");
    add_attack_target_options(*command, options->target);
    command
        ->add_option("--transfer-to", options->others,
                     "Models of the same inputs that are shown what was found on --model; pgd and "
                     "mi-, ni-, di-, ti-fgsm then go through all their steps")
        ->delimiter(',');
    command->add_option("--bits", options->bits,
                        "Write one line per example: 1 still right, 0 fooled or wrong");
    command->add_option("--state", options->state,
                        "File that keeps what was found: a run that was stopped or killed goes on "
                        "with the same command, and ends with the same bits. In batches of 200 "
                        "[--batch]");
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(
        "Examples:\n  ward attack evasion --attack autoattack --norm linf --epsilon 0.2 --model "
        "m.pt --data mnist\n"
        "  ward attack evasion --attack pgd --norm l2 --epsilon 0.5 --steps 40 --model "
        "m.safetensors --data digits --json");
    command->callback([options, command] {
        check_budget(*command, *options);
        run(*options);
    });
}

}  // namespace ward::cli
