// `ward attack extraction`: what a copy of a model costs who may only ask it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "ward/attack/exact_extraction.h"
#include "ward/attack/extraction.h"
#include "ward/audit/render_html.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/attack_flags.h"
#include "ward/cli/internal/model_file.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/nn/torch.h"
#include "ward/train/recipes.h"

namespace ward::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
    AttackTargetOptions target;
    attack::ExtractionOptions extraction;
    attack::ExactExtractionOptions exact;
    std::string pool, pool_split = "train", answer = "scores", copy, out, report;
    bool json = false;
};

attack::Answer parse_answer(const std::string& text) {
    if (text == "scores") return attack::Answer::kScores;
    if (text == "top-k") return attack::Answer::kTopK;
    return attack::Answer::kLabels;
}

ordered_json to_json(const attack::CopyPoint& point, bool priced) {
    ordered_json result = {
        {"queries", point.queries},
        {"fidelity", point.fidelity},
        {"fidelity_interval", {point.fidelity_interval.low, point.fidelity_interval.high}},
        {"accuracy", point.accuracy},
        {"seconds", point.seconds}};
    if (priced) result["money"] = point.money;
    return result;
}

ordered_json to_json(const Options& options, const attack::ExtractionResult& result,
                     const AttackTarget& loaded) {
    ordered_json curve = ordered_json::array();
    for (const attack::CopyPoint& point : result.curve)
        curve.push_back(to_json(point, options.extraction.price > 0));
    const attack::CopyPoint& last = result.curve.back();
    ordered_json out = {
        {"attack", options.extraction.attack},
        {"answer", options.answer},
        {"copy", options.extraction.surrogate.name},
        {"seed", options.extraction.seed},
        {"queries", result.queries},
        {"evaluation_queries", result.evaluation_queries},
        {"partial", !result.partial.empty()},
        {"fidelity", last.fidelity},
        {"fidelity_interval", {last.fidelity_interval.low, last.fidelity_interval.high}},
        {"accuracy", last.accuracy},
        {"model_accuracy", result.model_accuracy},
        {"fidelity_of_a_constant", result.majority_share},
        {"query_seconds", result.query_seconds},
        {"curve", curve},
        {"flags", result.flags}};
    if (!result.partial.empty()) out["stopped_by"] = result.partial;
    if (loaded.remote) {
        const attack::RemoteCounts& counts = loaded.remote->counts();
        out["service"] = {
            {"queries_sent", counts.sent},        {"from_ledger", counts.from_ledger},
            {"requests", counts.requests},        {"retries", counts.retries},
            {"maybe_paid_twice", counts.unknown}, {"waited_seconds", counts.waited_seconds}};
    }
    return out;
}

void print_human(const Options& options, const attack::ExtractionResult& result) {
    std::printf("attack     %s, %s, copy %s\n", options.extraction.attack.c_str(),
                options.answer.c_str(), options.extraction.surrogate.name.c_str());
    std::printf(
        "model      %.2f %% right on the test inputs; a constant agrees with it on %.2f %%\n\n",
        100 * result.model_accuracy, 100 * result.majority_share);
    std::printf("%10s %10s %21s %10s %10s\n", "queries", "fidelity", "95 % interval", "accuracy",
                options.extraction.price > 0 ? "price" : "seconds");
    for (const attack::CopyPoint& point : result.curve) {
        std::printf("%10ld %8.2f %% %8.2f to %6.2f %% %8.2f %% %10.2f\n",
                    static_cast<long>(point.queries), 100 * point.fidelity,
                    100 * point.fidelity_interval.low, 100 * point.fidelity_interval.high,
                    100 * point.accuracy,
                    options.extraction.price > 0 ? point.money : point.seconds);
    }
    for (const std::string& flag : result.flags) std::printf("flag       %s\n", flag.c_str());
    std::printf(
        "\nFidelity: same class as the model. A bound from below: a better attack copies "
        "more for less.\n");
}

audit::Chart curve_chart(const attack::ExtractionResult& result) {
    audit::Series fidelity{.name = "fidelity"}, accuracy{.name = "accuracy"};
    audit::Series constant{.name = "fidelity of a constant", .dashed = true};
    for (const attack::CopyPoint& point : result.curve) {
        const double x = std::log10(static_cast<double>(point.queries));
        fidelity.x.push_back(x);
        fidelity.y.push_back(point.fidelity);
        accuracy.x.push_back(x);
        accuracy.y.push_back(point.accuracy);
        constant.x.push_back(x);
        constant.y.push_back(result.majority_share);
    }
    return {.title = "Fidelity and accuracy of the copy",
            .summary = "How the copy grows with the queries that it is allowed.",
            .x_label = "queries (power of ten)",
            .y_label = "share of the test inputs",
            .series = {fidelity, accuracy, constant},
            .y_percent = true};
}

void write_report(const Options& options, const attack::ExtractionResult& result) {
    const attack::CopyPoint& last = result.curve.back();
    audit::Section section{.id = "extraction", .title = "Extraction"};
    section.lead = options.extraction.attack + " with answers of the kind " + options.answer +
                   "; the copy is a " + options.extraction.surrogate.name + ".";
    if (!result.partial.empty()) section.lead += " PARTIAL: " + result.partial + ".";
    section.evidence.push_back(
        {.id = "extraction.fidelity",
         .claim =
             "A copy from " + std::to_string(result.queries) + " queries says what the model says.",
         .experiment = "Copies trained on the answers, compared with the model on " +
                       std::to_string(result.evaluation_queries) + " test inputs",
         .figures = {
             {.name = "fidelity",
              .value = last.fidelity,
              .interval = audit::Interval{last.fidelity_interval.low, last.fidelity_interval.high},
              .unit = "%"},
             {.name = "accuracy of the copy", .value = last.accuracy, .unit = "%"},
             {.name = "accuracy of the model", .value = result.model_accuracy, .unit = "%"}}});
    section.charts.push_back(curve_chart(result));
    audit::Subject subject{.id = "model", .title = "Extraction of a model"};
    subject.sections.push_back(section);
    audit::Report report{.title = "Extraction", .software = std::string("ward ") + WARD_VERSION};
    report.subjects.push_back(subject);
    write_file_atomically(options.report, audit::render_html(report));
}

void save_copy(const Options& options, const AttackTarget& loaded, model::Model copy) {
    copy.card.created_by = std::string("ward ") + WARD_VERSION + " attack extraction";
    copy.card.data_name = loaded.data_name;
    copy.card.class_names = loaded.part.class_names;
    copy.card.preprocessing_json = loaded.part.preprocessing_json;
    copy.card.training_json = ordered_json{{"extracted_by", options.extraction.attack}}.dump();
    model::save_model(copy, options.out);
}

void run_copy(Options& options) {
    AttackTarget loaded = load_attack_target(options.target);
    attack::ExtractionOptions& extraction = options.extraction;
    extraction.answer = parse_answer(options.answer);
    if (loaded.target->access() == attack::Access::kLabels) {
        extraction.answer = attack::Answer::kLabels;
        options.answer = "labels";
    }
    const AttackInputs pool = load_attack_inputs(
        options.target, loaded, options.pool.empty() ? options.target.data.data : options.pool,
        options.pool_split);
    const train::Recipe& recipe = train::default_recipe(loaded.part, std::nullopt);
    const std::string name = !options.copy.empty()                   ? options.copy
                             : loaded.part.example_shape.size() == 3 ? "cnn"
                                                                     : "mlp";
    extraction.surrogate = train::spec_for(loaded.part, name, recipe);
    extraction.prepare = [mean = loaded.mean, std = loaded.std](const at::Tensor& x) {
        return standardised(x, mean, std);
    };
    extraction.lower = loaded.lower;
    extraction.upper = loaded.upper;
    if (loaded.remote) {
        extraction.lost = [remote = loaded.remote, mean = options.target.mean,
                           std = options.target.std](const at::Tensor& x) {
            return remote->lost(standardised(x, mean, std));
        };
    }
    const attack::ExtractionResult result =
        attack::extract(*loaded.target, {pool.x, pool.y}, loaded.x, loaded.y, extraction);
    if (!options.out.empty()) save_copy(options, loaded, result.copy);
    if (!options.report.empty()) write_report(options, result);
    if (options.json) {
        std::cout << to_json(options, result, loaded).dump() << "\n";
    } else {
        print_human(options, result);
    }
    if (loaded.remote) log_counts(*loaded.remote);
    if (!result.partial.empty()) {
        throw Error(ErrorCode::kIo,
                    "stopped after " + std::to_string(result.queries) + " of " +
                        std::to_string(extraction.queries) + " queries: " + result.partial,
                    "what is above is partial; with --ledger the same command goes on");
    }
}

void run_exact(Options& options) {
    apply(options.target.runtime);
    if (options.target.remote.given() || options.target.model.empty() ||
        nn::looks_like_torchscript(options.target.model)) {
        throw Error(ErrorCode::kUnsupported,
                    "exact extraction asks a Ward model in float64; services and TorchScript "
                    "files answer in float32",
                    "use --attack knockoff");
    }
    const model::Model victim = load_model(options.target.model, options.target.identities);
    options.exact.seed = options.extraction.seed;
    const int64_t inputs = model::element_count(victim.spec.input_shape);
    const attack::ExactExtraction copy =
        attack::extract_exactly(attack::exact_oracle(victim), inputs, options.exact);
    if (!options.out.empty()) {
        model::Model saved = attack::to_model(copy, victim.spec.input_shape, victim.spec.task);
        saved.card = victim.card;
        saved.card.created_by = std::string("ward ") + WARD_VERSION + " attack extraction";
        saved.card.privacy_json.clear();
        saved.card.training_json = ordered_json{{"extracted_by", "exact"}}.dump();
        model::save_model(saved, options.out);
    }
    if (options.json) {
        std::cout << ordered_json{{"attack", "exact"},
                                  {"queries", copy.queries},
                                  {"neurons", copy.neurons},
                                  {"linear_part", copy.linear_part},
                                  {"linear", copy.linear()},
                                  {"partial", !copy.complete},
                                  {"max_error", copy.max_error},
                                  {"output_scale", copy.output_scale},
                                  {"check_points", options.exact.check_points},
                                  {"lines", copy.lines},
                                  {"seconds", copy.seconds},
                                  {"seed", options.exact.seed}}
                         .dump()
                  << "\n";
        return;
    }
    if (copy.linear()) {
        std::printf(
            "linear     the model is a linear function of its inputs wherever it was asked: "
            "there are no neurons to find, and inputs + 1 queries copy it\n");
    }
    std::printf("neurons    %ld found by %ld queries on %ld lines, %.1f s%s\n",
                static_cast<long>(copy.neurons), static_cast<long>(copy.queries),
                static_cast<long>(copy.lines), copy.seconds,
                copy.linear_part && !copy.linear() ? "; a linear part is left" : "");
    std::printf("max error  %.3g over %ld random inputs (outputs are %.3g, root mean square)\n",
                copy.max_error, static_cast<long>(options.exact.check_points), copy.output_scale);
    if (!copy.complete) std::printf("partial    the budget of queries ended the search\n");
}

// Copies are trained on answers; exact extraction solves for them.
std::vector<FlagUse> flag_uses() {
    const std::vector<std::string> copies = attack::extraction_names();
    std::vector<FlagUse> uses = {{"--step-size", {"jacobian"}}, {"--most-queries", {"exact"}}};
    for (const char* flag : {"--queries", "--pool", "--pool-split", "--answer", "--top-k", "--copy",
                             "--epochs", "--learning-rate", "--curve", "--price", "--report"})
        uses.emplace_back(flag, copies);
    return uses;
}

void check_attack_flags(const CLI::App& command, const std::string& attack) {
    const std::vector<std::string> copies = attack::extraction_names();
    if (attack == "exact" || std::find(copies.begin(), copies.end(), attack) != copies.end())
        check_flags(command, attack, flag_uses());
}

void run(Options options) {
    check_outputs({{"--model", options.target.model}, {"--ledger", options.target.remote.ledger}},
                  {{"--out", options.out}, {"--report", options.report}});
    if (options.extraction.attack == "exact") {
        run_exact(options);
        return;
    }
    if (options.target.data.data.empty())
        throw Error(ErrorCode::kUsage, "--data is required", "exact extraction alone needs none");
    run_copy(options);
}

void add_extraction_options(CLI::App& command, Options& options) {
    attack::ExtractionOptions& extraction = options.extraction;
    std::string names = "exact";
    for (const std::string& name : attack::extraction_names()) names += ", " + name;
    command.add_option("--attack", extraction.attack, names)->capture_default_str();
    command.add_option("--queries", extraction.queries, "Budget: inputs asked about")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command.add_option("--pool", options.pool,
                       "Data whose inputs are asked about [those of --data]");
    command.add_option("--pool-split", options.pool_split, "Part of the pool: train, test or all")
        ->capture_default_str();
    command
        .add_option("--answer", options.answer, "What the attacker uses: scores, top-k or labels")
        ->check(CLI::IsMember({"scores", "top-k", "labels"}))
        ->capture_default_str();
    command.add_option("--top-k", extraction.top_k, "Scores told with --answer top-k")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command.add_option("--copy", options.copy, "Network of the copy, a zoo name [cnn or mlp]");
    command.add_option("--epochs", extraction.training.epochs, "Training of the copy")
        ->capture_default_str();
    command.add_option("--learning-rate", extraction.training.learning_rate, "Of the copy (Adam)")
        ->capture_default_str();
    command
        .add_option("--curve", extraction.curve,
                    "Numbers of queries at which a copy is trained [1, 3, 10, 30 and 100 %]")
        ->delimiter(',');
    command.add_option("--price", extraction.price, "Of one query, for the curve")
        ->check(CLI::NonNegativeNumber);
    command.add_option("--step-size", extraction.step_size, "jacobian: of the box of inputs")
        ->capture_default_str();
    command
        .add_option("--most-queries", options.exact.most_queries,
                    "exact: end the search after so many; 0: no limit")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command.add_option("--seed", extraction.seed, "Of the order of queries and the copies")
        ->capture_default_str();
    command.add_option("--out", options.out, "Write the copy to this model file");
    command.add_option("--report", options.report, "Write the curve as a page (.html)");
    command.add_flag("--json", options.json, "Print one JSON object");
}

}  // namespace

void add_attack_extraction_command(CLI::App& attack) {
    auto* command = attack.add_subcommand(
        "extraction", "A copy of the model from its answers, and what it costs in queries");
    auto options = std::make_shared<Options>();
    add_attack_target_options(*command, options->target);
    command->get_option("--data")->required(false);
    add_extraction_options(*command, *options);
    command->footer(
        "The test part of --data measures fidelity and accuracy (--count inputs, asked beside the "
        "budget).\n\nExamples:\n"
        "  ward attack extraction --model m.safetensors --data mnist --pool fashion-mnist "
        "--queries "
        "10000 --report curve.html\n"
        "  ward attack extraction --url https://host --remote-model mnist --token-file token "
        "--ledger paid.ledger --data mnist\n"
        "  ward attack extraction --attack exact --model mlp.safetensors --json");
    command->callback([options, command] {
        check_attack_flags(*command, options->extraction.attack);
        run(*options);
    });
}

}  // namespace ward::cli
