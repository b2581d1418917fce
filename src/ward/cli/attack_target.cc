#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/model_file.h"
#include "ward/core/error.h"
#include "ward/core/log.h"
#include "ward/nn/torch.h"

namespace ward::cli {
namespace {

// How a loader made inputs of numbers: (x / scale - mean) / std, per channel.
struct Standardisation {
    bool array = false;  // images and arrays; tables have none
    double scale = 1;
    std::vector<double> mean, std;
};

Standardisation standardisation_of(const std::string& preprocessing_json) {
    Standardisation result;
    const auto record = nlohmann::json::parse(preprocessing_json, nullptr, false);
    if (record.is_discarded() || !record.is_object() || record.value("kind", "") != "array")
        return result;
    result.array = true;
    result.scale = record.value("scale", 1.0);
    result.mean = record.value("mean", std::vector<double>{});
    result.std = record.value("std", std::vector<double>{});
    return result;
}

// {1, channels, 1, 1} for images, {1, 1} for a single channel.
at::Tensor per_channel(const std::vector<double>& values, int64_t rank) {
    std::vector<int64_t> shape(rank, 1);
    if (values.size() > 1) shape[1] = static_cast<int64_t>(values.size());
    return torch::tensor(values, at::kDouble).view(shape);
}

// The pixels of which the loader made these inputs; exactly i / 255 where it read bytes.
at::Tensor before_standardisation(const at::Tensor& x, const Standardisation& how) {
    at::Tensor raw = x.to(at::kDouble);
    if (!how.std.empty()) raw = raw * per_channel(how.std, x.dim());
    if (!how.mean.empty()) raw = raw + per_channel(how.mean, x.dim());
    if (how.scale == 255) raw = (raw * 255).round() / 255;
    return raw.to(at::kFloat);
}

attack::Target::Function with_standardisation(attack::Target::Function function,
                                              const std::vector<double>& mean,
                                              const std::vector<double>& std) {
    if (mean.empty() && std.empty()) return function;
    return [function = std::move(function), mean, std](const at::Tensor& x) {
        return function(standardised(x, mean, std));
    };
}

attack::Access parse_access(const std::string& name) {
    if (name == "white-box") return attack::Access::kWhiteBox;
    if (name == "scores") return attack::Access::kScores;
    if (name == "labels") return attack::Access::kLabels;
    throw Error(ErrorCode::kUsage, "access must be white-box, scores or labels, got " + name);
}

void take_examples(const data::Dataset& data, int64_t count, bool moves_inputs,
                   AttackTarget& result) {
    if (data.labels.empty())
        throw Error(ErrorCode::kInvalid, "data set " + data.name + " has no labels",
                    "attacks are measured against the right classes; name the column with --label");
    if (data.tokens && moves_inputs)
        throw Error(ErrorCode::kUnsupported, "evasion moves numbers, and these inputs are tokens",
                    "use images, arrays or tables");
    const int64_t n = count > 0 ? std::min(count, data.size()) : data.size();
    std::vector<int64_t> shape = data.example_shape;
    shape.insert(shape.begin(), n);
    result.data_name = data.name;
    result.x = torch::from_blob(const_cast<float*>(data.inputs.data()), shape).clone();
    result.y = torch::from_blob(const_cast<int64_t*>(data.labels.data()), {n}, at::kLong).clone();
}

void find_box(const Standardisation& how, AttackTarget& result) {
    if (how.array && how.scale == 255) return;  // pixels: [0, 1]
    result.lower = result.x.min().item<double>();
    result.upper = result.x.max().item<double>();
    if (result.lower >= 0 && result.upper <= 1) {
        result.lower = 0;
        result.upper = 1;
        return;
    }
    log_warning("the box of valid inputs is that of the data read: " +
                std::to_string(result.lower) + " to " + std::to_string(result.upper));
}

// Labels are welcome, not wanted: tables are read without them where the column is missing.
data::LoadedData with_labels_if_there(data::LoadRequest request) {
    try {
        return data::load_dataset(request);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kInvalid && error.code() != ErrorCode::kNotFound) throw;
    }
    request.labels_required = false;
    return data::load_dataset(request);
}

attack::Access access_of(const AttackTargetOptions& options) {
    const bool remote = options.remote.given();
    const attack::Access access =
        options.access.empty() ? (remote ? attack::Access::kScores : attack::Access::kWhiteBox)
                               : parse_access(options.access);
    if (remote && access == attack::Access::kWhiteBox)
        throw Error(ErrorCode::kUsage, "a model behind HTTP gives no gradients",
                    "use --access scores or --access labels");
    return access;
}

void check_choice(const AttackTargetOptions& options) {
    if (options.remote.given() != options.model.empty())
        throw Error(ErrorCode::kUsage, "give either --model FILE or --url with --remote-model");
    if (options.remote.given() && options.remote.model.empty())
        throw Error(ErrorCode::kUsage, "--url needs --remote-model, the model's name there");
    if (!options.remote.given() && !options.remote.ledger.empty())
        throw Error(ErrorCode::kUsage, "--ledger is for models behind HTTP",
                    "a model file costs nothing to ask again");
}

// The first question, which also tells what kind of answers there are; it stays in the ledger.
attack::Access probe(attack::RemoteModel& remote, const at::Tensor& x, attack::Access access) {
    remote(x.narrow(0, 0, 1));
    if (remote.answer_kind() != attack::Answer::kLabels || access == attack::Access::kLabels)
        return access;
    log_info("the service gives labels only");
    return attack::Access::kLabels;
}

}  // namespace

void add_attack_model_options(CLI::App& command, AttackTargetOptions& options) {
    command.add_option("--model", options.model,
                       "Model file (.safetensors, also encrypted), or a TorchScript file that you "
                       "trust: it is a program");
    add_identity_options(command, options.identities);
    add_data_options(command, options.data);
    add_split_options(command, options.data);
    command.add_option(
        "--access", options.access,
        "What the attacker sees of the model: white-box, scores or labels [white-box; "
        "behind HTTP: scores]");
    command
        .add_option("--mean", options.mean,
                    "TorchScript files: mean by which inputs are standardised, per channel [0: the "
                    "file takes pixels in 0..1]")
        ->delimiter(',');
    command.add_option("--std", options.std, "TorchScript files: likewise the deviation [1]")
        ->delimiter(',');
    add_remote_options(command, options.remote);
    add_runtime_options(command, options.runtime);
}

void add_attack_target_options(CLI::App& command, AttackTargetOptions& options) {
    add_attack_model_options(command, options);
    command.add_option("--split", options.split, "Part of the data: test, train or all")
        ->capture_default_str();
    command.add_option("--count", options.count, "Attack the first N examples; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
}

at::Tensor attacker_inputs(const data::Dataset& data) {
    std::vector<int64_t> shape = data.example_shape;
    shape.insert(shape.begin(), data.size());
    const at::Tensor x = torch::from_blob(const_cast<float*>(data.inputs.data()), shape).clone();
    const Standardisation how = standardisation_of(data.preprocessing_json);
    return how.array ? before_standardisation(x, how) : x;
}

at::Tensor standardised(const at::Tensor& x, const std::vector<double>& mean,
                        const std::vector<double>& std) {
    if (mean.empty() && std.empty()) return x;
    const at::Tensor shift = mean.empty() ? torch::zeros({1}) : per_channel(mean, x.dim());
    const at::Tensor scale = std.empty() ? torch::ones({1}) : per_channel(std, x.dim());
    return (x - shift.to(x.device(), at::kFloat)) / scale.to(x.device(), at::kFloat);
}

AttackTarget load_attack_target(const AttackTargetOptions& options) {
    apply(options.runtime);
    check_choice(options);
    const attack::Access access = access_of(options);
    AttackTarget result;
    data::LoadRequest request = to_request(options.data, options.split);
    request.preprocessing_json = options.preprocessing_json;
    const std::string& device = options.runtime.device;
    const bool is_script = !options.remote.given() && nn::looks_like_torchscript(options.model);
    if (is_script) {
        result.script = std::make_unique<nn::ScriptModule>(options.model, device);
    } else if (!options.remote.given()) {
        const model::Model model = load_model(options.model, options.identities);
        request.preprocessing_json = model.card.preprocessing_json;
        result.part = load_fitting(model, request).dataset;
        result.network = std::make_unique<nn::Network>(model);
        result.network->to(device);
        result.network->set_precision(nn::parse_precision(options.runtime.precision));
        result.origin = model::Model{model.spec, {}, model.card};
    }
    if (result.network == nullptr) {
        data::LoadedData loaded = data::load_dataset(request);
        log_notes(loaded);
        result.part = std::move(loaded.dataset);
    }
    take_examples(result.part, options.count, options.moves_inputs, result);
    result.classes = static_cast<int64_t>(result.part.class_names.size());
    const Standardisation how = standardisation_of(result.part.preprocessing_json);
    if (how.array) result.x = before_standardisation(result.x, how);
    if (options.moves_inputs) find_box(how, result);
    result.mean = how.mean;
    result.std = how.std;
    attack::Target::Function function;
    attack::Access granted = access;
    if (is_script) {
        function = with_standardisation(
            [module = result.script.get()](const at::Tensor& x) { return module->forward(x); },
            options.mean, options.std);
    } else if (result.network != nullptr) {
        function = with_standardisation(
            [network = result.network.get()](const at::Tensor& x) { return network->forward(x); },
            how.mean, how.std);
    } else {
        result.remote = open_remote(options.remote, result.classes);
        function = with_standardisation(
            [remote = result.remote](const at::Tensor& x) { return (*remote)(x); }, options.mean,
            options.std);
        granted = probe(*result.remote, standardised(result.x, options.mean, options.std), access);
    }
    result.target = std::make_unique<attack::Target>(std::move(function), granted,
                                                     options.remote.given() ? "cpu" : device);
    return result;
}

AttackInputs load_attack_inputs(const AttackTargetOptions& options, const AttackTarget& target,
                                const std::string& data, const std::string& split) {
    data::LoadRequest request = to_request(options.data, split);
    if (data != options.data.data) {
        request = {};
        request.data = data;
        request.split = split;
    } else {
        request.preprocessing_json = target.part.preprocessing_json;
    }
    const data::LoadedData loaded = with_labels_if_there(request);
    log_notes(loaded);
    const data::Dataset& set = loaded.dataset;
    if (set.example_shape != target.part.example_shape) {
        throw Error(ErrorCode::kInvalid,
                    set.name + " has examples of shape " + model::shape_text(set.example_shape) +
                        ", the target's have " + model::shape_text(target.part.example_shape),
                    "give inputs of the same shape");
    }
    AttackInputs result;
    result.x = attacker_inputs(set);
    if (!set.labels.empty()) {
        result.y =
            torch::from_blob(const_cast<int64_t*>(set.labels.data()), {set.size()}, at::kLong)
                .clone();
    }
    return result;
}

}  // namespace ward::cli
