#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "ward/cli/internal/he.h"
#include "ward/cli/internal/model_file.h"
#include "ward/core/error.h"
#include "ward/core/parallel.h"

namespace ward::cli {
namespace {

// What a model's inputs can be at most: images are (x / scale - mean) / std with x / scale in
// [0, 1]; anything else needs a declared bound.
he::Interval input_range(const model::Model& model, const HeModelOptions& options) {
    if (options.input_bound > 0) return {-options.input_bound, options.input_bound};
    const auto record = nlohmann::json::parse(model.card.preprocessing_json, nullptr, false);
    if (record.is_discarded() || !record.is_object() || record.value("kind", "") != "array") {
        return {-1, 1};
    }
    auto mean = record.value("mean", std::vector<double>{});
    auto std = record.value("std", std::vector<double>{});
    const size_t channels = std::max<size_t>({mean.size(), std.size(), 1});
    mean.resize(channels, mean.empty() ? 0 : mean.back());
    std.resize(channels, std.empty() ? 1 : std.back());
    he::Interval range{INFINITY, -INFINITY};
    for (size_t c = 0; c < channels; ++c) {
        if (!(std[c] > 0))
            throw Error(ErrorCode::kInvalid, "the model's record of its inputs is not usable");
        range.low = std::min(range.low, (0 - mean[c]) / std[c]);
        range.high = std::max(range.high, (1 - mean[c]) / std[c]);
    }
    // Inputs are stored in single precision.
    const double slack = 1e-6 * range.magnitude();
    return {range.low - slack, range.high + slack};
}

bool needs_calibration(const std::vector<model::LayerSpec>& layers) {
    return std::any_of(layers.begin(), layers.end(), [](const model::LayerSpec& layer) {
        const auto* activation = std::get_if<model::Activation>(&layer.kind);
        return activation != nullptr &&
               activation->function != model::Activation::Function::kSquare;
    });
}

}  // namespace

void add_he_model_options(CLI::App& command, HeModelOptions& options, bool data_required) {
    command.add_option("--model,MODEL", options.model, "Model file (.safetensors, also encrypted)")
        ->required();
    add_identity_options(command, options.identities);
    add_data_options(command, options.data);
    if (!data_required) command.get_option("--data")->required(false);
    add_split_options(command, options.data);
    command
        .add_option("--packing", options.packing,
                    "single: least time to one answer; batch: most answers per second")
        ->check(CLI::IsMember({"single", "batch"}))
        ->capture_default_str();
    command
        .add_option("--activation-degree", options.activation_degree,
                    "Degree of the polynomials in place of activations other than square")
        ->check(CLI::Range(2, 31))
        ->capture_default_str();
    command
        .add_option("--calibrate", options.calibration,
                    "Training examples that show where these activations work")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    command
        .add_option("--input-bound", options.input_bound,
                    "No input is larger in absolute value [images: by the model's record, else 1]")
        ->check(CLI::PositiveNumber);
    command.add_option("--scale-bits", options.scale_bits, "Precision of the encoding")
        ->check(CLI::Range(25, 48))
        ->capture_default_str();
    command.add_option("--threads", options.threads, "Threads [all processors]")
        ->check(CLI::Range(1, 1024));
}

CLI::Option* add_circuit_privacy_option(CLI::App& command, int& bits) {
    return command
        .add_option(
            "--circuit-privacy", bits,
            "Cover what the noise of results tells of the weights by 2^BITS more noise, which "
            "takes BITS bits of precision (--scale-bits 48)")
        ->check(CLI::Range(1, 60));
}

data::Dataset load_part(const HeModelOptions& options, const model::Model& model,
                        const std::string& split) {
    data::LoadRequest request = to_request(options.data, split);
    request.preprocessing_json = model.card.preprocessing_json;
    data::LoadedData loaded;
    try {
        loaded = data::load_dataset(request);
    } catch (const Error&) {  // without labels there is no accuracy, and all else
        request.labels_required = false;
        loaded = data::load_dataset(request);
    }
    log_notes(loaded);
    if (loaded.dataset.example_size() != model::element_count(model.spec.input_shape)) {
        throw Error(ErrorCode::kInvalid,
                    "the model expects examples of shape " +
                        model::shape_text(model.spec.input_shape) + ", got " +
                        model::shape_text(loaded.dataset.example_shape),
                    "give data like those it was trained on; ward inspect shows the model");
    }
    return loaded.dataset;
}

HeModel prepare(const HeModelOptions& options) {
    if (options.threads > 0) set_num_threads(options.threads);
    HeModel out;
    out.path = options.model;
    out.model = load_model(options.model, options.identities);
    he::LowerOptions lower{.activation_degree = options.activation_degree};
    data::Dataset examples;
    if (needs_calibration(out.model.spec.layers)) {
        if (options.data.data.empty()) {
            throw Error(ErrorCode::kUsage,
                        "the model's activations need examples to be fitted to: --data",
                        "or train a model with square activations");
        }
        examples = load_part(options, out.model, "train");
        const auto count = std::min<int64_t>(options.calibration, examples.size());
        lower.calibration = std::span<const float>(examples.inputs)
                                .first(static_cast<size_t>(count * examples.example_size()));
    }
    out.network = he::lower(out.model, lower);
    out.plan = he::plan(out.network, {.packing = options.packing == "single" ? he::Packing::kSingle
                                                                             : he::Packing::kBatch,
                                      .input = input_range(out.model, options),
                                      .scale_bits = options.scale_bits});
    return out;
}

std::vector<double> sample_examples(const HeModel& model, const HeModelOptions& options) {
    constexpr int64_t kExamples = 20;
    if (!options.data.data.empty()) {
        const data::Dataset test = load_part(options, model.model, "test");
        return examples_of(test, 0, std::min(kExamples, test.size()));
    }
    std::mt19937_64 generator(1);
    std::uniform_real_distribution<double> uniform(model.plan.input.low, model.plan.input.high);
    std::vector<double> examples(static_cast<size_t>(kExamples * model.network.inputs));
    for (double& x : examples) x = uniform(generator);
    return examples;
}

he::ClientPlan sent_plan(const HeModel& model) {
    he::ClientPlan plan = he::client_plan(model.plan);
    plan.preprocessing_json = model.model.card.preprocessing_json;
    const auto& names = model.model.card.class_names;
    if (static_cast<int64_t>(names.size()) == plan.outputs) plan.class_names = names;
    return plan;
}

int64_t argmax(std::span<const double> values) {
    return std::max_element(values.begin(), values.end()) - values.begin();
}

}  // namespace ward::cli
