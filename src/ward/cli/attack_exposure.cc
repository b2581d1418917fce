// `ward attack exposure`: how well a training remembers random examples put into its data.
#include "ward/attack/exposure.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ward/attack/membership_run.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/model_file.h"
#include "ward/core/error.h"

namespace ward::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
    std::string model, twin;
    IdentityOptions identities;
    DataOptions data;
    RuntimeOptions runtime;
    attack::ExposureOptions exposure;
    bool json = false;
};

struct Measured {
    std::string model;
    attack::ExposureResult result;

    std::string privacy() const {
        if (!result.claim) return "without a guarantee";
        char text[64];
        std::snprintf(text, sizeof text, "epsilon %.3g", result.claim->epsilon);
        return text;
    }
};

Measured measure(const Options& options, const std::string& file) {
    const model::Model model = load_model(file, options.identities);
    const auto part = [&](const char* split) {
        data::LoadRequest request = to_request(options.data, split);
        request.preprocessing_json = model.card.preprocessing_json;
        return load_fitting(model, request).dataset;
    };
    return {file, attack::measure_exposure(part("train"), part("test"), attack::training_of(model),
                                           options.exposure)};
}

ordered_json to_json(const Measured& measured) {
    ordered_json groups = ordered_json::array();
    for (const attack::ExposureGroup& group : measured.result.groups) {
        ordered_json canaries = ordered_json::array();
        for (const attack::CanaryExposure& canary : group.canaries) {
            canaries.push_back({{"label", canary.label},
                                {"rank", canary.rank},
                                {"exposure", canary.exposure},
                                {"extrapolated", canary.extrapolated},
                                {"fit_distance", canary.fit_distance}});
        }
        groups.push_back({{"repeats", group.repeats},
                          {"exposure_mean", group.mean},
                          {"exposure_median", group.median},
                          {"extrapolated_mean", group.extrapolated_mean},
                          {"first", group.first},
                          {"p_value", group.p_value},
                          {"canaries", canaries}});
    }
    const auto& claim = measured.result.claim;
    return {{"model", measured.model},
            {"epsilon", claim ? ordered_json(claim->epsilon) : ordered_json()},
            {"delta", claim ? ordered_json(claim->delta) : ordered_json()},
            {"accuracy", measured.result.accuracy},
            {"most_exposure", measured.result.most},
            {"seconds", measured.result.seconds},
            {"groups", groups}};
}

void print_human(const Measured& measured) {
    const attack::ExposureResult& result = measured.result;
    std::printf("trained as %s (%s), with the canaries: %.2f %% right\n", measured.model.c_str(),
                measured.privacy().c_str(), 100 * result.accuracy);
    std::printf("%8s %9s %10s %10s %14s %7s %10s\n", "repeats", "canaries", "exposure", "median",
                "extrapolated", "first", "p-value");
    for (const attack::ExposureGroup& group : result.groups) {
        std::printf("%8ld %9zu %10.2f %10.2f %14.2f %7ld %10.2g\n",
                    static_cast<long>(group.repeats), group.canaries.size(), group.mean,
                    group.median, group.extrapolated_mean, static_cast<long>(group.first),
                    group.p_value);
    }
    std::printf("\n");
}

void run(const Options& options) {
    apply(options.runtime);
    std::vector<Measured> all = {measure(options, options.model)};
    if (!options.twin.empty()) all.push_back(measure(options, options.twin));
    if (options.json) {
        ordered_json trainings = ordered_json::array();
        for (const Measured& measured : all) trainings.push_back(to_json(measured));
        std::cout << ordered_json{{"attack", "exposure"},
                                  {"candidates", options.exposure.candidates},
                                  {"seed", options.exposure.seed},
                                  {"trainings", trainings}}
                         .dump()
                  << "\n";
        return;
    }
    for (const Measured& measured : all) print_human(measured);
    std::printf(
        "Bits by which a canary's rank beats chance, at most %.2f with these candidates (1.44 on "
        "the mean\nwithout memorisation); extrapolated: by a skew-normal law of the candidates.\n",
        all[0].result.most);
}

}  // namespace

void add_attack_exposure_command(CLI::App& attack) {
    auto* command = attack.add_subcommand(
        "exposure", "How well a training remembers random examples put into its data (canaries)");
    auto options = std::make_shared<Options>();
    command
        ->add_option("--model", options->model,
                     "Model file of `ward train`: a new one is trained as its card says, on the "
                     "training part of the data and the canaries")
        ->required();
    command->add_option("--twin", options->twin,
                        "A second model whose training is measured likewise, for instance the "
                        "private twin");
    add_identity_options(*command, options->identities);
    add_data_options(*command, options->data);
    add_split_options(*command, options->data);
    attack::ExposureOptions& exposure = options->exposure;
    command
        ->add_option("--repeats", exposure.repeats,
                     "How often a canary stands in the data; 0: never, a control")
        ->delimiter(',')
        ->capture_default_str();
    command->add_option("--canaries", exposure.canaries, "Canaries for each of these")
        ->capture_default_str();
    command
        ->add_option("--candidates", exposure.candidates,
                     "Random examples of the same kind that each canary is ranked among")
        ->capture_default_str();
    command->add_option("--seed", exposure.seed, "Of canaries and candidates")
        ->capture_default_str();
    command->add_flag("--json", options->json, "Print one JSON object");
    add_runtime_options(*command, options->runtime);
    command->footer(
        "A guarantee holds for an example that stands in the data once: canaries that are repeated "
        "are covered by k times its epsilon.\n"
        "Examples:\n  ward attack exposure --model plain.safetensors --twin private.safetensors "
        "--data digits\n"
        "  ward attack exposure --model m.safetensors --data digits --repeats 0,1,8 --canaries 20 "
        "--json");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
