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
                                              const std::vector<double>& std, int64_t rank,
                                              const std::string& device) {
    if (mean.empty() && std.empty()) return function;
    const auto place = at::Device(device);
    const at::Tensor shift =
        (mean.empty() ? torch::zeros({1}) : per_channel(mean, rank)).to(at::kFloat).to(place);
    const at::Tensor scale =
        (std.empty() ? torch::ones({1}) : per_channel(std, rank)).to(at::kFloat).to(place);
    return [function = std::move(function), shift, scale](const at::Tensor& x) {
        return function((x - shift) / scale);
    };
}

attack::Access parse_access(const std::string& name) {
    if (name == "white-box") return attack::Access::kWhiteBox;
    if (name == "scores") return attack::Access::kScores;
    if (name == "labels") return attack::Access::kLabels;
    throw Error(ErrorCode::kUsage, "access must be white-box, scores or labels, got " + name);
}

void take_examples(const data::Dataset& data, int64_t count, AttackTarget& result) {
    if (data.labels.empty())
        throw Error(ErrorCode::kInvalid, "data set " + data.name + " has no labels",
                    "attacks are measured against the right classes; name the column with --label");
    if (data.tokens)
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

void require_shape(const std::vector<int64_t>& expected, const data::Dataset& data) {
    if (data.example_shape == expected) return;
    const auto text = [](const std::vector<int64_t>& shape) {
        std::string all;
        for (int64_t size : shape) all += (all.empty() ? "" : " x ") + std::to_string(size);
        return all;
    };
    throw Error(ErrorCode::kInvalid,
                data.name + " has examples of shape " + text(data.example_shape) +
                    "; the model expects " + text(expected),
                "give data like those it was trained on; ward inspect shows the model");
}

}  // namespace

void add_attack_target_options(CLI::App& command, AttackTargetOptions& options) {
    command
        .add_option("--model", options.model,
                    "Model file (.safetensors, also encrypted), or a TorchScript file that you "
                    "trust: it is a program")
        ->required();
    add_identity_options(command, options.identities);
    add_data_options(command, options.data);
    add_split_options(command, options.data);
    command.add_option("--split", options.split, "Part of the data: test, train or all")
        ->capture_default_str();
    command.add_option("--count", options.count, "Attack the first N examples; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command
        .add_option("--access", options.access,
                    "What the attacker sees of the model: white-box, scores or labels")
        ->capture_default_str();
    command
        .add_option("--mean", options.mean,
                    "TorchScript files: mean by which inputs are standardised, per channel [0: the "
                    "file takes pixels in 0..1]")
        ->delimiter(',');
    command.add_option("--std", options.std, "TorchScript files: likewise the deviation [1]")
        ->delimiter(',');
    add_runtime_options(command, options.runtime);
}

AttackTarget load_attack_target(const AttackTargetOptions& options) {
    apply(options.runtime);
    const attack::Access access = parse_access(options.access);
    AttackTarget result;
    data::LoadRequest request = to_request(options.data, options.split);
    const bool is_script = nn::looks_like_torchscript(options.model);
    const std::string& device = options.runtime.device;
    if (is_script) {
        result.script = std::make_unique<nn::ScriptModule>(options.model, device);
    } else {
        const model::Model model = load_model(options.model, options.identities);
        request.preprocessing_json = model.card.preprocessing_json;
        result.network = std::make_unique<nn::Network>(model);
        result.network->to(device);
        result.network->set_precision(nn::parse_precision(options.runtime.precision));
    }
    const data::LoadedData loaded = data::load_dataset(request);
    log_notes(loaded);
    if (!is_script) require_shape(result.network->spec().input_shape, loaded.dataset);
    take_examples(loaded.dataset, options.count, result);
    const Standardisation how = standardisation_of(loaded.dataset.preprocessing_json);
    if (how.array) result.x = before_standardisation(result.x, how);
    find_box(how, result);
    const int64_t rank = result.x.dim();
    attack::Target::Function function;
    if (is_script) {
        function = with_standardisation(
            [module = result.script.get()](const at::Tensor& x) { return module->forward(x); },
            options.mean, options.std, rank, device);
    } else {
        function = with_standardisation(
            [network = result.network.get()](const at::Tensor& x) { return network->forward(x); },
            how.mean, how.std, rank, device);
    }
    result.target = std::make_unique<attack::Target>(std::move(function), access, device);
    return result;
}

}  // namespace ward::cli
