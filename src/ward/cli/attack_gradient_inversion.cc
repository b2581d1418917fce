// `ward attack gradient-inversion`: the example behind a gradient.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ward/attack/gradient_inversion.h"
#include "ward/attack/inversion.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/model_file.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/cli/internal/pictures.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/nn/torch.h"
#include "ward/train/recipes.h"

namespace ward::cli {
namespace {

struct Options {
    std::string model, network, report;  // network: empty for the one the attack is measured on
    IdentityOptions identities;
    DataOptions data;
    RuntimeOptions runtime;
    attack::LeakOptions leak;
    int64_t example = 0, count = 1, batch = 1;
    double noise_multiplier = 0, clipping_norm = 1;
    uint64_t network_seed = 1;
    bool json = false;
};

struct Found {
    int64_t batch, example, label, label_found;
    double psnr, ssim, distance, seconds;
    at::Tensor original, leaked;
};

std::unique_ptr<nn::Network> network_for(const Options& options, const data::Dataset& data) {
    const auto classes = static_cast<int64_t>(data.class_names.size());
    if (options.network == "lenet") {
        return std::make_unique<nn::Network>(attack::leakage_lenet(data.example_shape, classes),
                                             options.network_seed);
    }
    if (options.network == "lenet-zhu") {
        return std::make_unique<nn::Network>(
            attack::untrained_lenet(data.example_shape, classes, options.network_seed));
    }
    const train::Recipe& recipe = train::default_recipe(data, std::nullopt);
    return std::make_unique<nn::Network>(train::spec_for(data, options.network, recipe),
                                         options.network_seed);
}

// Rows of the next batch: as many as wanted with labels that differ, from this row on.
std::vector<int64_t> next_batch(const Options& options, const data::Dataset& data, int64_t& row) {
    std::vector<int64_t> rows;
    std::set<int64_t> labels;
    for (; std::ssize(rows) < options.batch; ++row) {
        if (row >= data.size()) {
            throw Error(ErrorCode::kUsage,
                        "the test part ends before a batch of " + std::to_string(options.batch) +
                            " examples with labels that differ is full",
                        "a smaller --batch or --count, or an earlier --example");
        }
        if (options.batch == 1 || labels.insert(data.labels[row]).second) rows.push_back(row);
    }
    return rows;
}

std::vector<Found> attack_batch(const Options& options, const nn::Network& network,
                                const data::Dataset& data, const std::vector<int64_t>& rows,
                                int64_t batch) {
    std::vector<at::Tensor> inputs;
    std::vector<int64_t> labels;
    for (const int64_t row : rows) {
        float* first = const_cast<float*>(data.inputs.data()) + row * data.example_size();
        inputs.push_back(torch::from_blob(first, data.example_shape).clone());
        labels.push_back(data.labels[row]);
    }
    const at::Tensor x = at::stack(inputs);
    auto gradient = attack::batch_gradient(network, x, labels);
    if (options.noise_multiplier > 0) {
        Random random = Random::from_system();
        gradient =
            attack::privatised(gradient, options.clipping_norm, options.noise_multiplier, random);
    }
    const attack::LeakedBatch leaked =
        attack::invert_batch_gradient(network, gradient, options.batch, options.leak);
    const std::vector<int64_t> assigned = attack::assign_examples(leaked.x, x);
    const double width = options.leak.upper - options.leak.lower;
    std::vector<Found> found;
    for (size_t i = 0; i < rows.size(); ++i) {
        const at::Tensor mine = leaked.x[assigned[i]];
        found.push_back({batch, rows[i], labels[i], leaked.labels[assigned[i]],
                         attack::psnr(mine, inputs[i], width),
                         inputs[i].dim() == 3 ? attack::ssim(mine, inputs[i], width) : 0,
                         leaked.distance, leaked.seconds, inputs[i], mine});
    }
    return found;
}

void print(const Options& options, const std::vector<Found>& found) {
    double mean = 0;
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Found& one : found) {
        mean += one.psnr / static_cast<double>(found.size());
        list.push_back({{"example", one.example},
                        {"batch", one.batch},
                        {"psnr", one.psnr},
                        {"ssim", one.ssim},
                        {"label", one.label},
                        {"label_found", one.label_found},
                        {"distance", one.distance},
                        {"seconds", one.seconds}});
    }
    if (options.json) {
        std::cout << nlohmann::ordered_json{{"attack", options.leak.attack},
                                            {"batch_size", options.batch},
                                            {"total_variation", options.leak.total_variation},
                                            {"noise_multiplier", options.noise_multiplier},
                                            {"mean_psnr", mean},
                                            {"examples", list}}
                         .dump()
                  << "\n";
        return;
    }
    for (const Found& one : found) {
        std::printf(
            "batch %ld  example %ld  PSNR %6.2f dB  SSIM %.3f  label %ld, found %ld  distance %.3g "
            " "
            "%.1f s\n",
            static_cast<long>(one.batch), static_cast<long>(one.example), one.psnr, one.ssim,
            static_cast<long>(one.label), static_cast<long>(one.label_found), one.distance,
            one.seconds);
    }
    std::printf("mean PSNR %.2f dB (above 18: recognisable; a grey image reaches about 10 to 12)\n",
                mean);
}

void write_gallery(const Options& options, const std::vector<Found>& found) {
    audit::Gallery gallery{.title = "Gradient inversion: " + options.leak.attack,
                           .lead =
                               "Examples, and what their gradients alone gave back. The page "
                               "shows private examples.",
                           .columns = {"original", "from its gradient"}};
    if (options.noise_multiplier > 0) {
        char text[120];
        std::snprintf(text, sizeof text,
                      " The gradients were clipped to %g and noised with multiplier %g.",
                      options.clipping_norm, options.noise_multiplier);
        gallery.lead += text;
    }
    for (const Found& one : found) {
        if (one.original.dim() != 3)
            throw Error(ErrorCode::kUnsupported, "a gallery needs images", "leave --report out");
        char caption[80];
        std::snprintf(caption, sizeof caption, "PSNR %.2f dB, SSIM %.3f", one.psnr, one.ssim);
        const double low = options.leak.lower, high = options.leak.upper;
        gallery.rows.push_back({options.batch > 1 ? "batch " + std::to_string(one.batch) +
                                                        ", example " + std::to_string(one.example)
                                                  : "example " + std::to_string(one.example),
                                {picture_of(one.original, low, high, ""),
                                 picture_of(one.leaked, low, high, caption)}});
    }
    write_file_atomically(options.report, audit::render_gallery(gallery));
}

void check_options(const Options& options) {
    if (!(options.noise_multiplier >= 0) || !std::isfinite(options.noise_multiplier)) {
        throw Error(ErrorCode::kUsage, "--noise-multiplier must be finite and >= 0, got " +
                                           std::to_string(options.noise_multiplier));
    }
    if (!(options.clipping_norm > 0) || !std::isfinite(options.clipping_norm)) {
        throw Error(ErrorCode::kUsage,
                    "--clip must be finite and > 0, got " + std::to_string(options.clipping_norm));
    }
    check_outputs({{"--model", options.model}}, {{"--report", options.report}});
}

void run(Options options) {
    check_options(options);
    if (options.network.empty())
        options.network = options.leak.attack == "inverting-gradients" ? "lenet-zhu" : "lenet";
    apply(options.runtime);
    std::unique_ptr<nn::Network> network;
    std::optional<model::Model> model;
    data::LoadRequest request = to_request(options.data, "test");
    if (!options.model.empty()) {
        model = load_model(options.model, options.identities);
        request.preprocessing_json = model->card.preprocessing_json;
        network = std::make_unique<nn::Network>(*model);
    }
    const data::Dataset data =
        model ? load_fitting(*model, request).dataset : data::load_dataset(request).dataset;
    if (data.labels.empty())
        throw Error(ErrorCode::kInvalid, "data set " + data.name + " has no labels");
    if (options.example < 0 || options.count < 1 || options.example + options.count > data.size()) {
        throw Error(ErrorCode::kUsage,
                    "--example and --count (at least 1) must stay within the examples 0 to " +
                        std::to_string(data.size() - 1) + " of the test part");
    }
    const auto classes = std::ssize(data.class_names);
    if (options.batch < 1 || options.batch > std::min<int64_t>(classes, 16)) {
        throw Error(ErrorCode::kUsage,
                    "--batch must be 1 to " + std::to_string(std::min<int64_t>(classes, 16)) +
                        ", got " + std::to_string(options.batch),
                    "the labels of a batch must differ to be read off its gradient");
    }
    if (network == nullptr) network = network_for(options, data);
    const auto [least, most] = std::minmax_element(data.inputs.begin(), data.inputs.end());
    options.leak.lower = *least;
    options.leak.upper = *most;
    std::vector<Found> found;
    int64_t row = options.example;
    for (int64_t i = 0; i < options.count; ++i) {
        const std::vector<int64_t> rows = next_batch(options, data, row);
        for (Found& one : attack_batch(options, *network, data, rows, i))
            found.push_back(std::move(one));
    }
    if (!options.report.empty()) write_gallery(options, found);
    print(options, found);
}

}  // namespace

void add_attack_gradient_inversion_command(CLI::App& attack) {
    auto* command = attack.add_subcommand("gradient-inversion",
                                          "The example behind a gradient, as a server of "
                                          "federated learning sees it");
    auto options = std::make_shared<Options>();
    add_data_options(*command, options->data);
    add_split_options(*command, options->data);
    command
        ->add_option("--attack", options->leak.attack, "inverting-gradients, dlg, idlg or analytic")
        ->capture_default_str();
    command->add_option("--model", options->model, "A trained model [an untrained network]");
    add_identity_options(*command, options->identities);
    command->add_option("--network", options->network,
                        "Untrained network: lenet (weights as layers usually start), lenet-zhu "
                        "(uniform in [-0.5, 0.5], as Zhu et al.), or one of the zoo "
                        "[inverting-gradients: lenet-zhu; else lenet]");
    command->add_option("--example", options->example, "First example of the test part")
        ->capture_default_str();
    command->add_option("--count", options->count, "So many batches, one after the other")
        ->capture_default_str();
    command
        ->add_option("--batch", options->batch,
                     "Examples behind each gradient: the next ones with labels that differ")
        ->capture_default_str();
    command->add_option("--steps", options->leak.steps, "[its own]");
    command->add_option("--restarts", options->leak.restarts, "Starts; the best counts")
        ->capture_default_str();
    command->add_option("--tv", options->leak.total_variation, "Weight of the total variation")
        ->capture_default_str();
    command
        ->add_option("--noise-multiplier", options->noise_multiplier,
                     "Clip the gradient and add noise as DP-SGD does; 0: neither")
        ->capture_default_str();
    command->add_option("--clip", options->clipping_norm, "Clipping norm")->capture_default_str();
    command->add_option("--seed", options->leak.seed, "Of the starts")->capture_default_str();
    command->add_option("--network-seed", options->network_seed, "Of an untrained network")
        ->capture_default_str();
    command->add_option("--report", options->report,
                        "Write the pictures side by side to this page (.html)");
    command->add_flag("--json", options->json, "Print one JSON object");
    add_runtime_options(*command, options->runtime);
    command->footer(
        "Examples:\n  ward attack gradient-inversion --data cifar10 --network lenet --count 3\n  "
        "ward attack gradient-inversion --data cifar10 --noise-multiplier 1 --json\n  "
        "ward attack gradient-inversion --data cifar10 --batch 4 --report pictures.html");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
