// `ward evaluate`: how good a model is on labelled data.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "ward/audit/metrics.h"
#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/data_options.h"
#include "ward/cli/internal/model_options.h"
#include "ward/core/error.h"
#include "ward/model/model.h"
#include "ward/nn/network.h"
#include "ward/train/evaluate.h"

namespace ward::cli {
namespace {

struct Options {
    std::string model;
    DataOptions data;
    RuntimeOptions runtime;
    std::string split = "test";
    bool json = false;
};

void print_human(const audit::Evaluation& result, const model::Model& model) {
    const audit::Interval interval = audit::wilson_interval(result.correct, result.examples);
    std::printf("accuracy      %.2f %%   (95 %% interval %.2f to %.2f, %ld of %ld examples)\n",
                100 * result.accuracy, 100 * interval.low, 100 * interval.high,
                static_cast<long>(result.correct), static_cast<long>(result.examples));
    if (result.auc) std::printf("AUC           %.4f\n", *result.auc);
    if (result.log_loss) std::printf("log loss      %.4f\n", *result.log_loss);
    if (result.calibration_error)
        std::printf("calibration   %.4f expected error (15 bins)\n", *result.calibration_error);
    const auto classes = audit::per_class(result.confusion);
    std::printf("\n%-24s %9s %10s %10s\n", "class", "examples", "precision", "recall");
    for (size_t i = 0; i < classes.size(); ++i) {
        const std::string name =
            i < model.card.class_names.size() ? model.card.class_names[i] : std::to_string(i);
        std::printf("%-24s %9ld %10s %10s\n", name.c_str(), static_cast<long>(classes[i].examples),
                    classes[i].precision
                        ? (std::to_string(100 * *classes[i].precision).substr(0, 5) + " %").c_str()
                        : "-",
                    classes[i].recall
                        ? (std::to_string(100 * *classes[i].recall).substr(0, 5) + " %").c_str()
                        : "-");
    }
}

nlohmann::ordered_json to_json(const audit::Evaluation& result) {
    const audit::Interval interval = audit::wilson_interval(result.correct, result.examples);
    nlohmann::ordered_json out = {{"accuracy", result.accuracy},
                                  {"accuracy_interval", {interval.low, interval.high}},
                                  {"correct", result.correct},
                                  {"examples", result.examples},
                                  {"confusion", result.confusion}};
    if (result.auc) out["auc"] = *result.auc;
    if (result.log_loss) out["log_loss"] = *result.log_loss;
    if (result.calibration_error) out["calibration_error"] = *result.calibration_error;
    return out;
}

void run(const Options& options) {
    apply(options.runtime);
    const model::Model model = model::load_model(options.model);
    data::LoadRequest request = to_request(options.data, options.split);
    request.preprocessing_json = model.card.preprocessing_json;
    const data::LoadedData loaded = data::load_dataset(request);
    log_notes(loaded);
    require_fit(model, loaded.dataset);
    nn::Network network(model);
    network.to(options.runtime.device);
    network.set_precision(nn::parse_precision(options.runtime.precision));
    const train::Predictions predictions = train::predict(network, loaded.dataset);
    if (model.spec.task == model::Task::kRegression) {
        double squares = 0;
        for (size_t i = 0; i < predictions.values.size(); ++i) {
            const double error =
                static_cast<double>(predictions.values[i]) - loaded.dataset.targets.at(i);
            squares += error * error;
        }
        const double mean = squares / static_cast<double>(predictions.values.size());
        std::cout << nlohmann::ordered_json{{"mean_squared_error", mean},
                                            {"examples", predictions.values.size()}}
                         .dump()
                  << "\n";
        return;
    }
    if (loaded.dataset.labels.empty()) {
        throw Error(ErrorCode::kInvalid,
                    "data set " + loaded.dataset.name + " has no labels to compare with",
                    "name the label column with --label, or use ward predict");
    }
    const audit::Evaluation result =
        audit::evaluate(predictions.values, predictions.outputs, loaded.dataset.labels);
    if (options.json) {
        std::cout << to_json(result).dump() << "\n";
    } else {
        print_human(result, model);
    }
}

}  // namespace

void add_evaluate_command(CLI::App& app) {
    auto* command = app.add_subcommand(
        "evaluate", "Accuracy, calibration and confusion of a model on labelled data");
    auto options = std::make_shared<Options>();
    command->add_option("model", options->model, "Model file")->required();
    add_data_options(*command, options->data);
    add_split_options(*command, options->data);
    command->add_option("--split", options->split, "Part of the data: test, train or all")
        ->capture_default_str();
    command->add_flag("--json", options->json, "Print one JSON object");
    add_runtime_options(*command, options->runtime);
    command->footer(
        "Examples:\n  ward evaluate m.safetensors --data digits\n"
        "  ward evaluate m.safetensors --data patients.csv --schema patients.yaml --json");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
