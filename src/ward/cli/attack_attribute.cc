// `ward attack attribute`: can an attacker tell a column of a row from the model and the rest?
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "ward/attack/attribute.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/model_file.h"

namespace ward::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
    std::string model;
    IdentityOptions identities;
    DataOptions data;
    RuntimeOptions runtime;
    attack::AttributeOptions attack;
    bool json = false;
};

data::Dataset load_part(const Options& options, const model::Model& model,
                        const std::string& split) {
    data::LoadRequest request = to_request(options.data, split);
    request.preprocessing_json = model.card.preprocessing_json;
    return load_fitting(model, request).dataset;
}

ordered_json to_json(const attack::GuessRate& rate) {
    return {{"accuracy", rate.accuracy},
            {"interval", {rate.interval.low, rate.interval.high}},
            {"balanced_accuracy", rate.balanced}};
}

ordered_json to_json(const attack::AttributeSide& side) {
    return {{"examples", side.examples},
            {"attack", to_json(side.attack)},
            {"uniform", to_json(side.uniform)},
            {"baseline", to_json(side.baseline)}};
}

void print_json(const Options& options, const attack::AttributeResult& result) {
    const ordered_json out = {
        {"column", options.attack.column},
        {"values", result.values},
        {"auxiliary", result.auxiliary},
        {"members", to_json(result.members)},
        {"others", to_json(result.others)},
        {"advantage", result.advantage},
        {"advantage_interval", {result.advantage_interval.low, result.advantage_interval.high}},
        {"weight", result.weight},
        {"queries", result.queries},
        {"seed", options.attack.seed},
        {"flags", result.flags}};
    std::cout << out.dump() << "\n";
}

void print_line(const char* what, const attack::GuessRate& members,
                const attack::GuessRate& others) {
    const auto cell = [](const attack::GuessRate& rate) {
        std::printf("  %5.1f %% (%4.1f to %4.1f), balanced %5.1f %%", 100 * rate.accuracy,
                    100 * rate.interval.low, 100 * rate.interval.high, 100 * rate.balanced);
    };
    std::printf("%-26s", what);
    cell(members);
    cell(others);
    std::printf("\n");
}

void print_human(const Options& options, const attack::AttributeResult& result) {
    std::printf("column %s: %ld values; %ld members, %ld others, %ld in the auxiliary sample\n\n",
                options.attack.column.c_str(), static_cast<long>(result.values),
                static_cast<long>(result.members.examples),
                static_cast<long>(result.others.examples), static_cast<long>(result.auxiliary));
    std::printf("%-26s  %-44s%s\n", "guessed right", "members", "others");
    print_line("marginal alone", result.members.baseline, result.others.baseline);
    print_line("marginal and model", result.members.attack, result.others.attack);
    print_line("model alone", result.members.uniform, result.others.uniform);
    std::printf(
        "\nadvantage of the model alone on members: %+.1f points (95 %%: %+.1f to %+.1f). An "
        "interval around 0 shows "
        "no leak about them.\n",
        100 * result.advantage, 100 * result.advantage_interval.low,
        100 * result.advantage_interval.high);
    for (const std::string& flag : result.flags) std::printf("flag: %s\n", flag.c_str());
}

void run(const Options& options) {
    apply(options.runtime);
    const model::Model model = load_model(options.model, options.identities);
    const attack::AttributeResult result =
        attack::infer_attribute(model, load_part(options, model, "train"),
                                load_part(options, model, "test"), options.attack);
    if (options.json)
        print_json(options, result);
    else
        print_human(options, result);
}

}  // namespace

void add_attack_attribute_command(CLI::App& attack) {
    auto* command = attack.add_subcommand(
        "attribute", "A column of a row, from the model and the rest of the row");
    auto options = std::make_shared<Options>();
    attack::AttributeOptions& run_options = options->attack;
    command->add_option("--model", options->model, "Model file of `ward train` (.safetensors)")
        ->required();
    add_identity_options(*command, options->identities);
    add_data_options(*command, options->data);
    add_split_options(*command, options->data);
    command
        ->add_option("--column", run_options.column,
                     "Column to infer: categories, or a number of few values")
        ->required();
    command
        ->add_option("--count", run_options.count,
                     "Attack at most so many members and as many others; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command
        ->add_option("--auxiliary", run_options.auxiliary_share,
                     "Share of the held-out part from which the attacker knows the marginal")
        ->capture_default_str();
    command->add_option("--seed", run_options.seed, "Of who is attacked and who is auxiliary")
        ->capture_default_str();
    command->add_flag("--json", options->json, "Print one JSON object");
    add_runtime_options(*command, options->runtime);
    command->footer(
        "The members are the training part of the data, the others its test part.\n\nExample:\n"
        "  ward attack attribute --model m.safetensors --data adult.csv --schema adult.yaml "
        "--column sex --json");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
