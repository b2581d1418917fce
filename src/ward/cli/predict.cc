// `ward predict`: what a model says about new rows, as CSV or JSON lines.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/model_options.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/file.h"
#include "ward/model/model.h"
#include "ward/train/evaluate.h"

namespace ward::cli {
namespace {

struct Options {
    ModelRunOptions run;
    std::string out;
    bool probabilities = false;
    bool json = false;
};

std::string class_name(const model::Model& model, int64_t index) {
    const auto& names = model.card.class_names;
    return index < static_cast<int64_t>(names.size()) ? names[index] : std::to_string(index);
}

// RFC 4180: quoted where a field holds a comma, a quote or a line break.
std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + "\"";
}

std::string number(float value) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.6g", static_cast<double>(value));
    return text;
}

std::string as_csv(const model::Model& model, const train::Predictions& predictions,
                   bool probabilities) {
    const bool classes = model.spec.task == model::Task::kClassification;
    std::string out = "prediction";
    for (int64_t c = 0; probabilities && classes && c < predictions.outputs; ++c) {
        out += "," + csv_field("p_" + class_name(model, c));
    }
    out += "\n";
    const auto chosen = classes ? train::predicted_classes(predictions) : std::vector<int64_t>{};
    const size_t rows = predictions.values.size() / predictions.outputs;
    for (size_t row = 0; row < rows; ++row) {
        const float* values = predictions.values.data() + row * predictions.outputs;
        out += classes ? csv_field(class_name(model, chosen[row])) : number(values[0]);
        for (int64_t c = 0; probabilities && classes && c < predictions.outputs; ++c)
            out += "," + number(values[c]);
        out += "\n";
    }
    return out;
}

std::string as_json_lines(const model::Model& model, const train::Predictions& predictions,
                          bool probabilities) {
    const bool classes = model.spec.task == model::Task::kClassification;
    const auto chosen = classes ? train::predicted_classes(predictions) : std::vector<int64_t>{};
    std::string out;
    const size_t rows = predictions.values.size() / predictions.outputs;
    for (size_t row = 0; row < rows; ++row) {
        const float* values = predictions.values.data() + row * predictions.outputs;
        nlohmann::ordered_json line;
        if (classes) {
            line["prediction"] = class_name(model, chosen[row]);
            if (probabilities)
                line["probabilities"] = std::vector<float>(values, values + predictions.outputs);
        } else {
            line["prediction"] = values[0];
        }
        out += line.dump() + "\n";
    }
    return out;
}

void run(const Options& options) {
    check_outputs({{"MODEL", options.run.model},
                   {"--data", options.run.data.data},
                   {"--schema", options.run.data.schema}},
                  {{"--out", options.out}});
    const ModelRun run = run_model(options.run, false);
    const std::string text = options.json
                                 ? as_json_lines(run.model, run.predictions, options.probabilities)
                                 : as_csv(run.model, run.predictions, options.probabilities);
    if (options.out.empty()) {
        std::cout << text;
    } else {
        write_file_atomically(options.out, std::string_view(text));
    }
}

}  // namespace

void add_predict_command(CLI::App& app) {
    auto* command = app.add_subcommand("predict", "Predictions of a model for new rows");
    auto options = std::make_shared<Options>();
    add_model_run_options(*command, options->run, "all, test or train");
    command->add_flag("--probabilities", options->probabilities,
                      "Also the probability of each class");
    command->add_option("--out", options->out, "File [standard output]");
    command->add_flag("--json", options->json, "One JSON object per row instead of CSV");
    command->footer(
        "Examples:\n  ward predict m.safetensors --data new.csv --out predictions.csv\n"
        "  ward predict m.safetensors --data digits --split test --probabilities --json");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
