// `ward attack gradient-inversion`: the example behind a gradient.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ward/attack/gradient_inversion.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/model_file.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"
#include "ward/train/recipes.h"

namespace ward::cli {
namespace {

struct Options {
    std::string model, network = "lenet";
    IdentityOptions identities;
    DataOptions data;
    RuntimeOptions runtime;
    attack::LeakOptions leak;
    int64_t example = 0, count = 1;
    double noise_multiplier = 0, clipping_norm = 1;
    uint64_t network_seed = 1;
    bool json = false;
};

struct Found {
    int64_t example, label, label_found;
    double psnr, distance, seconds;
};

std::unique_ptr<nn::Network> network_for(const Options& options, const data::Dataset& data) {
    const auto classes = static_cast<int64_t>(data.class_names.size());
    if (options.network == "lenet") {
        return std::make_unique<nn::Network>(attack::leakage_lenet(data.example_shape, classes),
                                             options.network_seed);
    }
    const train::Recipe& recipe = train::default_recipe(data, std::nullopt);
    return std::make_unique<nn::Network>(train::spec_for(data, options.network, recipe),
                                         options.network_seed);
}

Found attack_example(const Options& options, const nn::Network& network, const data::Dataset& data,
                     int64_t row) {
    const at::Tensor x =
        torch::from_blob(const_cast<float*>(data.inputs.data()) + row * data.example_size(),
                         data.example_shape)
            .clone();
    auto gradient = attack::example_gradient(network, x, data.labels[row]);
    if (options.noise_multiplier > 0) {
        Random random = Random::from_system();
        gradient =
            attack::privatised(gradient, options.clipping_norm, options.noise_multiplier, random);
    }
    const attack::LeakedExample leaked = attack::invert_gradient(network, gradient, options.leak);
    return {row,
            data.labels[row],
            leaked.label,
            attack::psnr(leaked.x, x, options.leak.upper - options.leak.lower),
            leaked.distance,
            leaked.seconds};
}

void print(const Options& options, const std::vector<Found>& found) {
    double mean = 0;
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Found& one : found) {
        mean += one.psnr / static_cast<double>(found.size());
        list.push_back({{"example", one.example},
                        {"psnr", one.psnr},
                        {"label", one.label},
                        {"label_found", one.label_found},
                        {"distance", one.distance},
                        {"seconds", one.seconds}});
    }
    if (options.json) {
        std::cout << nlohmann::ordered_json{{"attack", options.leak.attack},
                                            {"noise_multiplier", options.noise_multiplier},
                                            {"mean_psnr", mean},
                                            {"examples", list}}
                         .dump()
                  << "\n";
        return;
    }
    for (const Found& one : found) {
        std::printf("example %ld  PSNR %6.2f dB  label %ld, found %ld  distance %.3g  %.1f s\n",
                    static_cast<long>(one.example), one.psnr, static_cast<long>(one.label),
                    static_cast<long>(one.label_found), one.distance, one.seconds);
    }
    std::printf("mean PSNR %.2f dB (above 18: recognisable; a grey image reaches about 10 to 12)\n",
                mean);
}

void run(Options options) {
    apply(options.runtime);
    std::unique_ptr<nn::Network> network;
    data::LoadRequest request = to_request(options.data, "test");
    if (!options.model.empty()) {
        const model::Model model = load_model(options.model, options.identities);
        request.preprocessing_json = model.card.preprocessing_json;
        network = std::make_unique<nn::Network>(model);
    }
    const data::Dataset data = data::load_dataset(request).dataset;
    if (data.labels.empty())
        throw Error(ErrorCode::kInvalid, "data set " + data.name + " has no labels");
    if (options.example < 0 || options.count < 1 || options.example + options.count > data.size()) {
        throw Error(ErrorCode::kUsage,
                    "the test part has examples 0 to " + std::to_string(data.size() - 1));
    }
    if (network == nullptr) network = network_for(options, data);
    const auto [least, most] = std::minmax_element(data.inputs.begin(), data.inputs.end());
    options.leak.lower = *least;
    options.leak.upper = *most;
    std::vector<Found> found;
    for (int64_t i = 0; i < options.count; ++i)
        found.push_back(attack_example(options, *network, data, options.example + i));
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
    command
        ->add_option("--network", options->network, "Untrained network: lenet, or one of the zoo")
        ->capture_default_str();
    command->add_option("--example", options->example, "First example of the test part")
        ->capture_default_str();
    command->add_option("--count", options->count, "So many, one after the other")
        ->capture_default_str();
    command->add_option("--steps", options->leak.steps, "[its own]");
    command->add_option("--restarts", options->leak.restarts)->capture_default_str();
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
    command->add_flag("--json", options->json, "Print one JSON object");
    add_runtime_options(*command, options->runtime);
    command->footer(
        "Examples:\n  ward attack gradient-inversion --data cifar10 --network lenet --count 3\n  "
        "ward attack gradient-inversion --data cifar10 --noise-multiplier 1 --json");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
