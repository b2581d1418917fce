// `ward evaluate`: how good a model is on labelled data.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "ward/audit/metrics.h"
#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/model_options.h"
#include "ward/core/error.h"
#include "ward/model/model.h"

namespace ward::cli {
namespace {

struct Options {
    ModelRunOptions run;
    bool json = false;
};

std::string percent(const std::optional<double>& share) {
    if (!share) return "-";
    char text[32];
    std::snprintf(text, sizeof(text), "%.2f %%", 100 * *share);
    return text;
}

void print_human(const audit::Evaluation& result, const model::Model& model) {
    const audit::Interval interval = audit::wilson_interval(result.correct, result.examples);
    std::printf("accuracy      %.2f %%   (95 %% interval %.2f to %.2f, %ld of %ld examples)\n",
                100 * result.accuracy, 100 * interval.low, 100 * interval.high,
                static_cast<long>(result.correct), static_cast<long>(result.examples));
    std::printf("base rate     %.2f %%   (the accuracy of always guessing the largest class)\n",
                100 * audit::majority_share(result.confusion));
    std::printf("balanced      %.2f %%   (mean recall of the classes)\n",
                100 * audit::balanced_accuracy(result.confusion));
    if (result.auc) {
        const auto& names = model.card.class_names;
        std::printf("AUC           %.4f   (area under the ROC curve of class %s)\n", *result.auc,
                    names.size() == 2 ? names[1].c_str() : "1");
    }
    if (result.log_loss) std::printf("log loss      %.4f\n", *result.log_loss);
    if (result.calibration_error) {
        std::printf("calibration   %.4f   (mean gap between confidence and share right, 15 bins)\n",
                    *result.calibration_error);
    }
    const auto classes = audit::per_class(result.confusion);
    std::printf("\n%-24s %9s %10s %10s\n", "class", "examples", "precision", "recall");
    for (size_t i = 0; i < classes.size(); ++i) {
        const std::string name =
            i < model.card.class_names.size() ? model.card.class_names[i] : std::to_string(i);
        std::printf("%-24s %9ld %10s %10s\n", name.c_str(), static_cast<long>(classes[i].examples),
                    percent(classes[i].precision).c_str(), percent(classes[i].recall).c_str());
    }
}

nlohmann::ordered_json to_json(const audit::Evaluation& result) {
    const audit::Interval interval = audit::wilson_interval(result.correct, result.examples);
    nlohmann::ordered_json out = {{"accuracy", result.accuracy},
                                  {"accuracy_interval", {interval.low, interval.high}},
                                  {"correct", result.correct},
                                  {"examples", result.examples},
                                  {"base_rate", audit::majority_share(result.confusion)},
                                  {"balanced_accuracy", audit::balanced_accuracy(result.confusion)},
                                  {"confusion", result.confusion}};
    if (result.auc) out["auc"] = *result.auc;
    if (result.log_loss) out["log_loss"] = *result.log_loss;
    if (result.calibration_error) out["calibration_error"] = *result.calibration_error;
    return out;
}

void print_regression(const ModelRun& run, bool json) {
    const std::vector<float>& targets = run.loaded.dataset.targets;
    if (targets.size() != run.predictions.values.size()) {
        throw Error(ErrorCode::kInvalid,
                    "data set " + run.loaded.dataset.name + " has no targets to compare with",
                    "declare kind: target in the schema, or use ward predict");
    }
    double squares = 0;
    for (size_t i = 0; i < targets.size(); ++i) {
        const double error = static_cast<double>(run.predictions.values[i]) - targets[i];
        squares += error * error;
    }
    const double mean = squares / static_cast<double>(targets.size());
    if (json) {
        const nlohmann::ordered_json out = {{"mean_squared_error", mean},
                                            {"examples", targets.size()}};
        std::cout << out.dump() << "\n";
    } else {
        std::printf("mean squared error  %.6g   (%zu examples)\n", mean, targets.size());
    }
}

void run(const Options& options) {
    const ModelRun run = run_model(options.run, true);
    if (run.model.spec.task == model::Task::kRegression) {
        print_regression(run, options.json);
        return;
    }
    if (run.loaded.dataset.labels.empty()) {
        throw Error(ErrorCode::kInvalid,
                    "data set " + run.loaded.dataset.name + " has no labels to compare with",
                    "name the label column with --label, or use ward predict");
    }
    const audit::Evaluation result =
        audit::evaluate(run.predictions.values, run.predictions.outputs, run.loaded.dataset.labels);
    if (options.json) {
        std::cout << to_json(result).dump() << "\n";
    } else {
        print_human(result, run.model);
    }
}

}  // namespace

void add_evaluate_command(CLI::App& app) {
    auto* command = app.add_subcommand(
        "evaluate",
        "Accuracy, base rate, balanced accuracy, calibration and confusion on labelled data");
    auto options = std::make_shared<Options>();
    add_model_run_options(*command, options->run, "test, train or all");
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(
        "Examples:\n  ward evaluate m.safetensors --data digits\n"
        "  ward evaluate m.safetensors --data patients.csv --split all --json");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
