// `ward attack inversion`: what the classes of a model look like, from the model alone.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ward/attack/interval.h"
#include "ward/attack/inversion.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/inversion_judge.h"
#include "ward/cli/internal/model_file.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/cli/internal/pictures.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"
#include "ward/nn/torch.h"

namespace ward::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
    AttackTargetOptions target;
    std::string twin, judge, report;
    attack::InversionOptions inversion;
    std::vector<int64_t> classes;
    bool json = false;
};

struct Attacked {
    std::string name, privacy;
    double accuracy = 0;
    std::vector<JudgedInversion> found;

    int64_t identified() const {
        return std::count_if(found.begin(), found.end(),
                             [](const JudgedInversion& f) { return f.judged == f.inverted.label; });
    }
};

data::Dataset load_train(const Options& options, const std::string& preprocessing_json) {
    data::LoadRequest request = to_request(options.target.data, "train");
    request.preprocessing_json = preprocessing_json;
    return data::load_dataset(request).dataset;
}

Attacked attack_model(const Options& options, const std::string& file, const InversionJudge& judge,
                      const AttackInputs& originals) {
    AttackTargetOptions target = options.target;
    target.model = file;
    AttackTarget loaded = load_attack_target(target);
    Attacked result;
    result.name = file;
    const model::Model model = load_model(file, options.target.identities);
    const auto card = nlohmann::json::parse(model.card.privacy_json, nullptr, false);
    result.privacy = card.is_object() && card.contains("epsilon_upper")
                         ? "epsilon " + card["epsilon_upper"].dump()
                         : "without a guarantee";
    result.accuracy =
        (loaded.target->labels(loaded.x) == loaded.y).to(at::kDouble).mean().item<double>();
    attack::InversionOptions inversion = options.inversion;
    inversion.lower = loaded.lower;
    inversion.upper = loaded.upper;
    std::vector<int64_t> classes = options.classes;
    for (int64_t c = 0; options.classes.empty() && c < loaded.classes; ++c) classes.push_back(c);
    const double width = loaded.upper - loaded.lower;
    for (attack::InvertedClass& one :
         attack::invert_classes(*loaded.target, loaded.part.example_shape, classes, inversion)) {
        result.found.push_back(judge_inversion(std::move(one), judge, originals, width));
    }
    return result;
}

ordered_json to_json(const Attacked& attacked) {
    ordered_json classes = ordered_json::array();
    for (const JudgedInversion& found : attacked.found) {
        classes.push_back({{"class", found.inverted.label},
                           {"confidence", found.inverted.confidence},
                           {"steps", found.inverted.steps},
                           {"judged", found.judged},
                           {"judge_confidence", found.judge_confidence},
                           {"psnr_to_mean", found.psnr_mean},
                           {"ssim_to_mean", found.ssim_mean},
                           {"psnr_to_nearest", found.psnr_nearest}});
    }
    const auto n = static_cast<int64_t>(attacked.found.size());
    const attack::Interval interval = attack::clopper_pearson(attacked.identified(), n);
    return {{"model", attacked.name},
            {"privacy", attacked.privacy},
            {"accuracy", attacked.accuracy},
            {"identified", attacked.identified()},
            {"classes", n},
            {"identification", static_cast<double>(attacked.identified()) / static_cast<double>(n)},
            {"identification_interval", {interval.low, interval.high}},
            {"per_class", classes}};
}

void print_human(const Options& options, const std::vector<Attacked>& all,
                 const InversionJudge& judge) {
    std::printf("attack   %s; judge: %s, %.2f %% right on the training part\n",
                options.inversion.attack.c_str(), judge.description.c_str(), 100 * judge.accuracy);
    for (const Attacked& attacked : all) {
        std::printf("\nmodel    %s (%s), %.2f %% right\n", attacked.name.c_str(),
                    attacked.privacy.c_str(), 100 * attacked.accuracy);
        std::printf("%8s %11s %7s %11s %14s %14s\n", "class", "confidence", "judged", "by judge",
                    "PSNR to mean", "SSIM to mean");
        for (const JudgedInversion& f : attacked.found) {
            std::printf("%8ld %9.2f %% %7ld %9.2f %% %11.2f dB %14.3f\n",
                        static_cast<long>(f.inverted.label), 100 * f.inverted.confidence,
                        static_cast<long>(f.judged), 100 * f.judge_confidence, f.psnr_mean,
                        f.ssim_mean);
        }
        std::printf("identified by the judge: %ld of %zu\n",
                    static_cast<long>(attacked.identified()), attacked.found.size());
    }
}

void write_gallery(const Options& options, const std::vector<Attacked>& all,
                   const InversionJudge& judge, double lower, double upper) {
    audit::Gallery gallery{.title = "Model inversion: " + options.inversion.attack};
    gallery.lead =
        "What came back for each class from the model alone, beside training examples. "
        "The judge is a " +
        judge.description + ". The page shows private examples.";
    gallery.columns = {"mean of the class"};
    for (const Attacked& attacked : all)
        gallery.columns.push_back(attacked.name + " (" + attacked.privacy + ")");
    gallery.columns.push_back("nearest training example");
    for (size_t i = 0; i < all[0].found.size(); ++i) {
        const JudgedInversion& first = all[0].found[i];
        if (!first.nearest.defined() || first.nearest.dim() != 3) continue;
        audit::GalleryRow row{"class " + std::to_string(first.inverted.label), {}};
        row.pictures.push_back(picture_of(first.mean, lower, upper, ""));
        for (const Attacked& attacked : all) {
            const JudgedInversion& found = attacked.found[i];
            char caption[160];
            std::snprintf(caption, sizeof caption, "judged %ld, %.1f %%; SSIM to mean %.2f",
                          static_cast<long>(found.judged), 100 * found.judge_confidence,
                          found.ssim_mean);
            row.pictures.push_back(picture_of(found.inverted.x, lower, upper, caption));
        }
        row.pictures.push_back(picture_of(first.nearest, lower, upper, ""));
        gallery.rows.push_back(std::move(row));
    }
    if (gallery.rows.empty())
        throw Error(ErrorCode::kUnsupported, "a gallery needs images", "leave --report out");
    write_file_atomically(options.report, audit::render_gallery(gallery));
}

void run(Options options) {
    check_outputs({{"--model", options.target.model}, {"--twin", options.twin}},
                  {{"--report", options.report}});
    if (options.target.remote.given() || nn::looks_like_torchscript(options.target.model)) {
        throw Error(ErrorCode::kUnsupported, "inversion needs a Ward model file",
                    "its card says what inputs look like");
    }
    options.target.count = 0;
    const AttackTarget loaded = load_attack_target(options.target);
    for (int64_t c : options.classes) {
        if (c >= 0 && c < loaded.classes) continue;
        throw Error(ErrorCode::kUsage, "classes must be between 0 and " +
                                           std::to_string(loaded.classes - 1) + ", got " +
                                           std::to_string(c));
    }
    const data::Dataset train = load_train(options, loaded.part.preprocessing_json);
    const AttackInputs inputs =
        load_attack_inputs(options.target, loaded, options.target.data.data, "train");
    const InversionJudge judge =
        make_inversion_judge(loaded, train, options.judge, options.target.identities);
    std::vector<Attacked> all = {attack_model(options, options.target.model, judge, inputs)};
    if (!options.twin.empty()) all.push_back(attack_model(options, options.twin, judge, inputs));
    if (!options.report.empty()) write_gallery(options, all, judge, loaded.lower, loaded.upper);
    if (options.json) {
        ordered_json models = ordered_json::array();
        for (const Attacked& attacked : all) models.push_back(to_json(attacked));
        std::cout << ordered_json{{"attack", options.inversion.attack},
                                  {"judge", judge.description},
                                  {"judge_accuracy", judge.accuracy},
                                  {"models", models}}
                         .dump()
                  << "\n";
    } else {
        print_human(options, all, judge);
    }
}

}  // namespace

audit::Picture picture_of(const at::Tensor& x, double lower, double upper,
                          const std::string& caption) {
    const int64_t channels = x.size(0) == 3 ? 3 : 1;
    const at::Tensor bytes = ((x.narrow(0, 0, channels) - lower) * (255 / (upper - lower)))
                                 .round()
                                 .clamp(0, 255)
                                 .permute({1, 2, 0})
                                 .to(at::kByte)
                                 .contiguous();
    const uint8_t* first = bytes.data_ptr<uint8_t>();
    return {x.size(2), x.size(1), channels, std::vector<uint8_t>(first, first + bytes.numel()),
            caption};
}

void add_attack_inversion_command(CLI::App& attack) {
    auto* command = attack.add_subcommand(
        "inversion", "What the classes of a model look like, from the model alone");
    auto options = std::make_shared<Options>();
    command->add_option("--model", options->target.model, "Model file of `ward train`")->required();
    command->add_option("--twin", options->twin,
                        "A second model of the same data, for instance the private twin");
    add_identity_options(*command, options->target.identities);
    add_data_options(*command, options->target.data);
    add_split_options(*command, options->target.data);
    attack::InversionOptions& inversion = options->inversion;
    command->add_option("--attack", inversion.attack, "miface or image-prior")
        ->capture_default_str();
    command->add_option("--classes", options->classes, "Numbers of the classes to bring back [all]")
        ->delimiter(',');
    command->add_option("--judge", options->judge,
                        "Model that says what the pictures show [one trained on the test part]");
    command->add_option("--steps", inversion.steps, "[1000]")->check(CLI::NonNegativeNumber);
    command->add_option("--step-size", inversion.step_size, "Share of the box [0.1]")
        ->check(CLI::NonNegativeNumber);
    command
        ->add_option("--tv", inversion.total_variation,
                     "image-prior: weight of the total variation")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command->add_option("--seed", inversion.seed, "Of starts and shifts")->capture_default_str();
    command->add_option("--report", options->report,
                        "Write the pictures side by side to this page (.html): it shows training "
                        "examples");
    command->add_flag("--json", options->json, "Print one JSON object");
    add_runtime_options(*command, options->target.runtime);
    command->footer(
        "Examples:\n  ward attack inversion --model m.safetensors --data digits --report "
        "gallery.html\n"
        "  ward attack inversion --model plain.safetensors --twin private.safetensors --data "
        "digits "
        "--attack image-prior --json");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
