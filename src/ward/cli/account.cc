// `ward account`: the epsilon of a mechanism or plan, or the noise for an epsilon.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "ward/cli/internal/commands.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/dp/calibrate.h"
#include "ward/dp/plan.h"
#include "ward/dp/pld.h"
#include "ward/dp/rdp.h"
#include "ward/model/model.h"

namespace ward::cli {
namespace {

constexpr size_t kMaxPlanBytes = size_t{64} << 20;  // records hold more than the plan

struct AccountOptions {
    std::optional<double> sampling_rate, noise_multiplier, delta, target_epsilon, epochs;
    std::optional<int64_t> steps, examples, batch;
    std::string plan;
    bool as_json = false;
};

[[noreturn]] void usage(const std::string& message, const std::string& hint) {
    throw Error(ErrorCode::kUsage, message, hint);
}

double rate_of(const AccountOptions& o) {
    if (o.sampling_rate) {
        if (o.examples || o.batch) {
            usage("give either --sampling-rate or --examples with --batch, got both",
                  "drop one of them");
        }
        return *o.sampling_rate;
    }
    if (!o.examples || !o.batch) {
        usage("the sampling rate is missing", "give --sampling-rate, or --examples and --batch");
    }
    if (*o.examples < 1 || *o.batch < 1 || *o.batch > *o.examples) {
        usage("--batch must be between 1 and --examples (" + std::to_string(*o.examples) +
                  "), got " + std::to_string(*o.batch),
              "the sampling rate is batch / examples");
    }
    return static_cast<double>(*o.batch) / static_cast<double>(*o.examples);
}

// ceil(epochs * examples / batch), as `ward train` counts.
int64_t steps_of(const AccountOptions& o, double rate) {
    if (o.steps && o.epochs) usage("give either --steps or --epochs, got both", "drop one of them");
    if (o.steps) return *o.steps;
    if (!o.epochs) usage("the number of steps is missing", "give --steps or --epochs");
    if (!(*o.epochs > 0) || !std::isfinite(*o.epochs) || *o.epochs / rate > 1e12) {
        usage("--epochs must be > 0 and give at most 1e12 steps, got " + std::to_string(*o.epochs),
              "an epoch is 1 / sampling rate steps");
    }
    return static_cast<int64_t>(std::ceil(*o.epochs / rate * (1 - 1e-12)));
}

nlohmann::ordered_json figures(const dp::SampledGaussianPhase& phase, double delta) {
    const std::span<const dp::SampledGaussianPhase> phases(&phase, 1);
    const dp::CertifiedValue pld = dp::pld_epsilon(phases, delta);
    const dp::RdpEpsilon series =
        dp::rdp_epsilon(phases, delta, dp::default_rdp_orders(), dp::RdpFormula::kAbsoluteSeries);
    const dp::RdpEpsilon exact = dp::rdp_epsilon(phases, delta);
    return {{"pld", {{"upper", pld.upper}, {"lower", pld.lower}}},
            {"rdp",
             {{"epsilon", series.epsilon},
              {"order", series.order},
              {"exact_epsilon", exact.epsilon},
              {"exact_order", exact.order}}},
            {"delta", delta},
            {"sampling_rate", phase.sampling_rate},
            {"noise_multiplier", phase.noise_multiplier},
            {"steps", phase.steps},
            {"adjacency", "add-or-remove-one"},
            {"sampler", "poisson"}};
}

void print_table(const nlohmann::ordered_json& f) {
    const double upper = f["pld"]["upper"], delta = f["delta"];
    std::printf("sampling rate     %.10g\n", f["sampling_rate"].get<double>());
    std::printf("noise multiplier  %.6g\n", f["noise_multiplier"].get<double>());
    std::printf("steps             %lld\n", static_cast<long long>(f["steps"].get<int64_t>()));
    std::printf("delta             %.6g\n", delta);
    std::printf("epsilon           %.6g  (certified; no accounting can go below %.6g)\n", upper,
                f["pld"]["lower"].get<double>());
    std::printf("  by Renyi/RDP    %.6g  (the older, weaker bound, at order %g)\n",
                f["rdp"]["exact_epsilon"].get<double>(), f["rdp"]["exact_order"].get<double>());
}

void print_explanation(const nlohmann::ordered_json& f) {
    const double upper = f["pld"]["upper"], delta = f["delta"];
    std::printf(
        "\nWith one example more or less in the data, no outcome becomes more probable than\n"
        "exp(%.4g) = %.4g times what it was, plus %.3g; provided that each step draws every "
        "example\n"
        "independently (Poisson sampling) and adds Gaussian noise of that multiple of the clipping "
        "norm.\n",
        upper, std::exp(upper), delta);
}

void print(const nlohmann::ordered_json& result, bool as_json) {
    if (as_json) {
        std::cout << result.dump(2) << "\n";
    } else {
        print_table(result);
        print_explanation(result);
    }
}

// The plan in a file: a plan, or what carries one (a training record, `ward train --dry-run
// --json`, `ward inspect --json`, a model).
std::string plan_text(const std::string& file) {
    std::string text;
    if (file.ends_with(".safetensors")) {
        text = model::load_model(file).card.privacy_json;
        if (text.empty())
            throw Error(ErrorCode::kInvalid, file + " was trained without a privacy plan");
    } else {
        text = read_text_file(file, kMaxPlanBytes);
    }
    const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return text;  // for the plan's own parser to complain about
    for (const char* place : {"/plan", "/privacy/plan", "/card/privacy/plan"}) {
        const nlohmann::json::json_pointer pointer(place);
        if (json.contains(pointer) && json[pointer].is_object()) return json[pointer].dump();
    }
    if (json.value("private", nlohmann::json()) == nlohmann::json(false))
        throw Error(ErrorCode::kInvalid, file + " is of a run without a privacy plan");
    return text;
}

void account_for_plan(const AccountOptions& o) {
    if (o.sampling_rate || o.noise_multiplier || o.delta || o.target_epsilon || o.epochs ||
        o.steps || o.examples || o.batch) {
        usage("--plan goes with --json only, got other values too", "the plan holds them all");
    }
    const dp::PrivacyPlan plan = dp::PrivacyPlan::from_json(plan_text(o.plan));
    nlohmann::ordered_json result = figures(plan.accounted_phase(plan.steps()), plan.delta());
    const dp::PlanEpsilon epsilon = plan.epsilon();  // with the cost of discrete noise
    result["pld"] = {{"upper", epsilon.upper}, {"lower", epsilon.lower}};
    result["statement"] = plan.statement();
    if (o.as_json) {
        print(result, true);
        return;
    }
    print_table(result);
    std::printf("\n%s", result["statement"].get<std::string>().c_str());
}

void run_account(const AccountOptions& o) {
    if (!o.plan.empty()) {
        account_for_plan(o);
        return;
    }
    if (o.noise_multiplier.has_value() == o.target_epsilon.has_value()) {
        usage(o.noise_multiplier ? "give either --noise-multiplier or --target-epsilon, got both"
                                 : "what to compute is missing",
              "--noise-multiplier asks for epsilon, --target-epsilon asks for the noise");
    }
    if (!o.delta) usage("--delta is missing", "a common choice is 1e-5, below 1 / examples");
    const double rate = rate_of(o);
    dp::SampledGaussianPhase phase{rate, 1, steps_of(o, rate)};
    if (phase.steps < 1) {
        usage("--steps must be at least 1, got " + std::to_string(phase.steps),
              "count optimiser steps");
    }
    phase.noise_multiplier = o.target_epsilon
                                 ? dp::calibrate_noise_multiplier(*o.target_epsilon, *o.delta,
                                                                  phase.sampling_rate, phase.steps)
                                 : *o.noise_multiplier;
    nlohmann::ordered_json result = figures(phase, *o.delta);
    if (o.target_epsilon) {
        nlohmann::ordered_json answer = {{"noise_multiplier", phase.noise_multiplier},
                                         {"target_epsilon", *o.target_epsilon}};
        for (const auto& [key, value] : result.items()) answer[key] = value;
        result = std::move(answer);
    }
    print(result, o.as_json);
}

}  // namespace

void add_account_command(CLI::App& app) {
    auto* command =
        app.add_subcommand("account", "Epsilon of private training, or the noise for an epsilon");
    auto o = std::make_shared<AccountOptions>();
    command->add_option("--sampling-rate", o->sampling_rate,
                        "Probability that an example is in a batch, in (0, 1]");
    command->add_option("--examples", o->examples, "Number of examples (with --batch)");
    command->add_option("--batch", o->batch, "Expected batch size (with --examples)");
    command->add_option("--noise-multiplier", o->noise_multiplier,
                        "Noise standard deviation over clipping norm");
    command->add_option("--target-epsilon", o->target_epsilon,
                        "Find the noise multiplier for this epsilon");
    command->add_option("--steps", o->steps, "Number of steps");
    command->add_option("--epochs", o->epochs, "Number of epochs, in place of --steps");
    command->add_option("--delta", o->delta,
                        "Probability allowed on top of the factor exp(epsilon), in (0, 1)");
    command->add_option(
        "--plan", o->plan,
        "A file that holds a privacy plan (model, training record, plan in JSON), in "
        "place of all the above");
    command->add_flag("--json", o->as_json, "Print one JSON object");
    command->footer(
        "Epsilon is a certified upper bound by privacy loss distributions. In the JSON, "
        "rdp.epsilon\n"
        "follows dp_accounting's series (for comparison with published figures) and\n"
        "rdp.exact_epsilon the exact Renyi divergence.\n\n"
        "Examples:\n"
        "  ward account --examples 60000 --batch 256 --epochs 15 --noise-multiplier 1.1 --delta "
        "1e-5\n"
        "  ward account --sampling-rate 0.01 --steps 1000 --delta 1e-6 --target-epsilon 2 --json\n"
        "  ward account --plan model.safetensors");
    command->callback([o] { run_account(*o); });
}

}  // namespace ward::cli
