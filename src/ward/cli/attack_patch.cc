// `ward attack patch`: one picture that fools a model wherever it is laid into an image.
#include "ward/attack/patch.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/cli/internal/pictures.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/nn/torch.h"

namespace ward::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
    AttackTargetOptions target;
    attack::PatchOptions patch;
    std::optional<int64_t> wanted;
    std::string out, report;
    bool json = false;
};

struct Outcome {
    attack::PatchResult result;
    double lower = 0, upper = 1;
    std::string goal;
};

std::string percent(double share) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
    return text;
}

void write_report(const Options& options, const Outcome& outcome) {
    audit::Gallery gallery{.title = "Adversarial patch: " + outcome.goal};
    gallery.lead =
        "One picture for all images, laid in at random places and rotations. The shares are of "
        "images that had no part in making it.";
    gallery.columns = {"the patch", "an image with it"};
    for (size_t k = 0; k < outcome.result.success.size(); ++k) {
        const attack::PatchSuccess& success = outcome.result.success[k];
        char title[64];
        std::snprintf(title, sizeof title, "side %g of the image's", success.size);
        audit::GalleryRow row{title, {}};
        row.pictures.push_back(picture_of(outcome.result.patch, outcome.lower, outcome.upper,
                                          "succeeds on " + percent(success.rate()) +
                                              ", random pixels on " +
                                              percent(success.noise_rate())));
        row.pictures.push_back(picture_of(outcome.result.shown[static_cast<int64_t>(k)],
                                          outcome.lower, outcome.upper, ""));
        gallery.rows.push_back(std::move(row));
    }
    write_file_atomically(options.report, audit::render_gallery(gallery));
}

void print_json(const Options& options, const Outcome& outcome) {
    ordered_json sizes = ordered_json::array();
    for (const attack::PatchSuccess& s : outcome.result.success) {
        sizes.push_back({{"size", s.size},
                         {"examples", s.examples},
                         {"success", s.rate()},
                         {"success_interval", {s.interval.low, s.interval.high}},
                         {"success_of_noise", s.noise_rate()}});
    }
    std::cout << ordered_json{{"attack", "patch"},
                              {"target_class",
                               options.wanted ? ordered_json(*options.wanted) : ordered_json()},
                              {"rotation_degrees", options.patch.rotation_degrees},
                              {"steps", options.patch.steps},
                              {"seed", options.patch.seed},
                              {"sizes", sizes}}
                     .dump()
              << "\n";
}

void print_human(const Outcome& outcome) {
    std::printf("patch    %s\n%8s %10s %10s %20s %15s\n", outcome.goal.c_str(), "size", "examples",
                "success", "95 % interval", "random pixels");
    for (const attack::PatchSuccess& s : outcome.result.success) {
        std::printf("%8g %10ld %8.2f %% %8.2f to %6.2f %% %13.2f %%\n", s.size,
                    static_cast<long>(s.examples), 100 * s.rate(), 100 * s.interval.low,
                    100 * s.interval.high, 100 * s.noise_rate());
    }
}

// The first half of the examples makes the patch, the other half measures it.
Outcome attack_model(const Options& options, const AttackTarget& loaded) {
    attack::Points points{loaded.x, loaded.y, at::Tensor()};
    if (points.size() < 2)
        throw Error(ErrorCode::kInvalid, "a patch needs at least 2 examples",
                    "one to make it and one to measure it on");
    Outcome outcome;
    outcome.goal = "any wrong class";
    if (options.wanted) {
        const int64_t classes = loaded.target->logits(loaded.x.narrow(0, 0, 1)).size(1);
        if (*options.wanted < 0 || *options.wanted >= classes) {
            throw Error(ErrorCode::kUsage, "--target-class must be between 0 and " +
                                               std::to_string(classes - 1) + ", got " +
                                               std::to_string(*options.wanted));
        }
        points.wanted = torch::full_like(points.y, *options.wanted);
        outcome.goal = "class " + std::to_string(*options.wanted);
    }
    attack::PatchOptions patch = options.patch;
    patch.lower = outcome.lower = loaded.lower;
    patch.upper = outcome.upper = loaded.upper;
    const int64_t half = points.size() / 2;
    outcome.result =
        attack::attack_with_patch(*loaded.target, points.select(torch::arange(half)),
                                  points.select(torch::arange(half, points.size())), patch);
    return outcome;
}

void run(const Options& options) {
    check_outputs({{"--model", options.target.model}},
                  {{"--out", options.out}, {"--report", options.report}});
    const AttackTarget loaded = load_attack_target(options.target);
    const Outcome outcome = attack_model(options, loaded);
    if (!options.out.empty()) {
        write_file_atomically(
            options.out,
            audit::encode_png(picture_of(outcome.result.patch, outcome.lower, outcome.upper, "")));
    }
    if (!options.report.empty()) write_report(options, outcome);
    if (options.json) {
        print_json(options, outcome);
    } else {
        print_human(outcome);
    }
}

void add_patch_options(CLI::App& command, attack::PatchOptions& options) {
    command
        .add_option("--sizes", options.sizes,
                    "Sides of the patch, shares of the image's shorter side")
        ->delimiter(',')
        ->capture_default_str();
    command.add_option("--rotation", options.rotation_degrees, "Degrees either way, at most")
        ->capture_default_str();
    command.add_option("--steps", options.steps, "Steps of Adam")->capture_default_str();
    command.add_option("--batch", options.batch, "Images of one step")->capture_default_str();
    command.add_option("--step-size", options.step_size, "Share of the box")->capture_default_str();
    command.add_option("--seed", options.seed, "Of batches and places")->capture_default_str();
}

}  // namespace

void add_attack_patch_command(CLI::App& attack) {
    auto* command = attack.add_subcommand(
        "patch", "One picture that fools a model wherever it is laid into an image");
    auto options = std::make_shared<Options>();
    command->add_option("--target-class", options->wanted,
                        "Fool the model into this class [any wrong one]");
    add_patch_options(*command, options->patch);
    add_attack_target_options(*command, options->target);
    command->add_option("--out", options->out, "Write the patch (.png)");
    command->add_option("--report", options->report,
                        "Write the patch and images with it to this page (.html)");
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(
        "The first half of the examples makes the patch, the other half measures it.\n"
        "Examples:\n  ward attack patch --model m.safetensors --data mnist --count 2000 "
        "--target-class 3 --report patch.html\n"
        "  ward attack patch --model m.pt --data cifar10 --sizes 0.1,0.2,0.3 --out patch.png "
        "--json");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
