#include "ward/cli/internal/model_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "ward/cli/internal/model_file.h"
#include "ward/core/error.h"
#include "ward/core/log.h"
#include "ward/core/parallel.h"
#include "ward/core/progress.h"
#include "ward/data/encode.h"
#include "ward/nn/network.h"
#include "ward/nn/script_module.h"
#include "ward/nn/threads.h"

namespace ward::cli {
namespace {

// "a, b, c, ..., z": at most four of a long list.
std::string some_of(const std::vector<std::string>& names) {
    constexpr size_t kMost = 4;
    std::string text;
    for (size_t i = 0; i < names.size(); ++i) {
        if (names.size() > kMost && i >= kMost - 1 && i + 1 < names.size()) continue;
        if (names.size() > kMost && i + 1 == names.size()) text += ", ...";
        text += (text.empty() ? "" : ", ") + names[i];
    }
    return text;
}

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string text;
    for (int64_t size : shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
    return text;
}

// The columns that a model of tables reads; none for models of images.
std::vector<std::string> input_columns(const model::Model& model) {
    std::vector<std::string> names;
    try {
        for (const data::ColumnSchema& column :
             data::schema_of(model.card.preprocessing_json).columns) {
            const bool input = column.kind == data::ColumnKind::kNumeric ||
                               column.kind == data::ColumnKind::kInteger ||
                               column.kind == data::ColumnKind::kCategorical;
            if (input) names.push_back(column.name);
        }
    } catch (const Error&) {  // not the record of a table
    }
    return names;
}

std::string expectation(const model::Model& model) {
    std::string text = "the model expects ";
    if (const auto columns = input_columns(model); !columns.empty()) {
        text +=
            "a table with the " + std::to_string(columns.size()) + " columns " + some_of(columns);
    } else {
        text += "examples of shape " + shape_text(model.spec.input_shape);
    }
    const std::vector<std::string>& classes = model.card.class_names;
    if (!classes.empty())
        text += ", and " + std::to_string(classes.size()) + " classes (" + some_of(classes) + ")";
    return text;
}

constexpr const char* kFitHint =
    "give data like those it was trained on; ward inspect shows the model";

// A fault of data that were read for a model: most often they are other data than it was made for.
data::LoadedData load_for(const model::Model& model, const data::LoadRequest& request) {
    try {
        return data::load_dataset(request);
    } catch (const Error& error) {
        std::error_code ignored;
        const bool about_content =
            error.code() == ErrorCode::kInvalid || (error.code() == ErrorCode::kNotFound &&
                                                    std::filesystem::exists(request.data, ignored));
        const std::vector<std::string> builtin = data::builtin_names();
        const bool named = std::find(builtin.begin(), builtin.end(), request.data) != builtin.end();
        if (!about_content && !named) throw;
        throw Error(error.code(), error.message() + "; " + expectation(model), kFitHint);
    }
}

void require_fit(const model::Model& model, const data::Dataset& data) {
    if (data.example_shape != model.spec.input_shape) {
        throw Error(ErrorCode::kInvalid,
                    data.name + " has examples of shape " + shape_text(data.example_shape) + "; " +
                        expectation(model),
                    kFitHint);
    }
    const auto& trained = model.card.class_names;
    if (!data.labels.empty() && !trained.empty() && data.class_names != trained) {
        throw Error(ErrorCode::kInvalid,
                    data.name + " has " + std::to_string(data.class_names.size()) + " classes (" +
                        some_of(data.class_names) + "); " + expectation(model),
                    kFitHint);
    }
}

// A TorchScript file says nothing about its data or its classes: both are those of the data given.
ModelRun run_script(const ModelRunOptions& options, bool labels_required) {
    data::LoadRequest request = to_request(options.data, options.split);
    request.labels_required = labels_required;
    ModelRun run;
    run.loaded = data::load_dataset(request);
    log_notes(run.loaded);
    const data::Dataset& data = run.loaded.dataset;
    const nn::ScriptModule module(options.model, options.runtime.device);
    run.predictions = train::predict(nn::ScriptModule(options.model, options.runtime.device), data);
    run.model.spec.task =
        data.targets.empty() ? model::Task::kClassification : model::Task::kRegression;
    run.model.card.class_names = data.class_names;
    return run;
}

void to_units_of_the_data(const data::TargetScale& scale, std::vector<float>& values) {
    for (float& value : values)
        value = static_cast<float>(scale.min + scale.range * static_cast<double>(value));
}

}  // namespace

data::LoadedData load_fitting(const model::Model& model, const data::LoadRequest& request) {
    data::LoadedData loaded = load_for(model, request);
    log_notes(loaded);
    require_fit(model, loaded.dataset);
    return loaded;
}

void add_runtime_options(CLI::App& command, RuntimeOptions& options) {
    command.add_option("--threads", options.threads, "Threads [all processors]")
        ->check(CLI::Range(1, 1024))
        ->group("Running");
    command.add_option("--device", options.device, "cpu, cuda:0, ...")
        ->capture_default_str()
        ->group("Running");
    command
        .add_option("--precision", options.precision,
                    "fp32 or bf16 (fast where the processor has AMX or AVX-512 BF16)")
        ->capture_default_str()
        ->group("Running");
    command.add_option("--progress", options.progress, "auto, bar, plain, json or off")
        ->capture_default_str()
        ->group("Running");
}

void apply(const RuntimeOptions& options) {
    nn::set_threads(options.threads > 0 ? options.threads : num_threads());
    set_progress_mode(parse_progress_mode(options.progress));
}

void add_model_run_options(CLI::App& command, ModelRunOptions& options, const std::string& splits) {
    options.split = splits.substr(0, splits.find(','));
    command
        .add_option("MODEL", options.model,
                    "Model file (.safetensors, also encrypted), or a TorchScript file that you "
                    "trust: it is a program")
        ->required();
    add_identity_options(command, options.identities);
    add_data_options(command, options.data);
    add_split_options(command, options.data);
    command.add_option("--split", options.split, "Part of the data: " + splits)
        ->capture_default_str();
    add_runtime_options(command, options.runtime);
}

ModelRun run_model(const ModelRunOptions& options, bool labels_required) {
    apply(options.runtime);
    if (nn::looks_like_torchscript(options.model)) return run_script(options, labels_required);
    ModelRun run;
    run.model = load_model(options.model, options.identities);
    if (!options.data.schema.empty() && !run.model.card.preprocessing_json.empty())
        log_warning("--schema is not used: the model carries the schema it was trained with");
    data::LoadRequest request = to_request(options.data, options.split);
    request.preprocessing_json = run.model.card.preprocessing_json;
    request.labels_required = labels_required;
    run.loaded = load_fitting(run.model, request);
    nn::Network network(run.model);
    network.to(options.runtime.device);
    network.set_precision(nn::parse_precision(options.runtime.precision));
    run.predictions = train::predict(network, run.loaded.dataset);
    if (run.model.spec.task == model::Task::kRegression) {
        const auto scale = data::target_scale(run.model.card.preprocessing_json);
        to_units_of_the_data(scale, run.predictions.values);
        to_units_of_the_data(scale, run.loaded.dataset.targets);
    }
    return run;
}

}  // namespace ward::cli
