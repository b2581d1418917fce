#include "ward/dp/internal/plan_text.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "ward/core/error.h"

namespace ward::dp::internal {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

template <typename Kind, size_t n>
using Names = std::array<std::pair<Kind, const char*>, n>;

constexpr Names<ClippingKind, 4> kClippingNames{{{ClippingKind::kFlat, "flat"},
                                                 {ClippingKind::kPerLayer, "per-layer"},
                                                 {ClippingKind::kAutomatic, "automatic"},
                                                 {ClippingKind::kAdaptive, "adaptive"}}};
constexpr Names<PrivacyUnit, 2> kUnitNames{
    {{PrivacyUnit::kExample, "example"}, {PrivacyUnit::kGroup, "group"}}};
constexpr Names<Accountant, 2> kAccountantNames{
    {{Accountant::kPld, "pld"}, {Accountant::kRdp, "rdp"}}};

template <typename Kind, size_t n>
std::string name_of(const Names<Kind, n>& names, Kind kind) {
    for (const auto& [value, name] : names) {
        if (value == kind) return name;
    }
    return "unknown";
}

template <typename Kind, size_t n>
Kind kind_of(const Names<Kind, n>& names, const std::string& field, const std::string& text) {
    for (const auto& [value, name] : names) {
        if (text == name) return value;
    }
    throw Error(ErrorCode::kCorrupt, "privacy plan: unknown " + field + " \"" + text + "\"");
}

Json settings_json(const PlanRequest& s) {
    Json json = {{"version", kVersion},
                 {"sampler", "poisson"},
                 {"adjacency", "add-or-remove-one"},
                 {"examples", s.examples},
                 {"expected_batch", s.expected_batch},
                 {"steps", s.steps},
                 {"delta", s.delta},
                 {"noise_multiplier", *s.noise_multiplier},
                 {"target_epsilon", s.target_epsilon ? Json(*s.target_epsilon) : Json(nullptr)},
                 {"clipping", name_of(kClippingNames, s.clipping)},
                 {"clipping_norm", s.clipping_norm},
                 {"layer_norms", s.layer_norms},
                 {"unit", name_of(kUnitNames, s.unit)},
                 {"max_contributions", s.max_contributions},
                 {"accountant", name_of(kAccountantNames, s.accountant)},
                 {"dimension", s.dimension},
                 {"sensitivity_margin", s.sensitivity_margin}};
    if (s.clipping == ClippingKind::kAdaptive) {
        json["adaptive"] = {{"quantile", s.adaptive.quantile},
                            {"learning_rate", s.adaptive.learning_rate},
                            {"count_noise", s.adaptive.count_noise}};
    }
    return json;
}

PlanRequest settings_from(const Json& json) {
    PlanRequest s;
    s.examples = json.at("examples");
    s.expected_batch = json.at("expected_batch");
    s.steps = json.at("steps");
    s.delta = json.at("delta");
    s.noise_multiplier = json.at("noise_multiplier").get<double>();
    if (!json.at("target_epsilon").is_null()) {
        s.target_epsilon = json.at("target_epsilon").get<double>();
    }
    s.sampler = json.at("sampler") == "poisson" ? SamplerKind::kPoisson : SamplerKind::kCustom;
    s.clipping = kind_of(kClippingNames, "clipping", json.at("clipping"));
    s.clipping_norm = json.at("clipping_norm");
    s.layer_norms = json.at("layer_norms").get<std::vector<double>>();
    s.unit = kind_of(kUnitNames, "unit", json.at("unit"));
    s.max_contributions = json.at("max_contributions");
    s.accountant = kind_of(kAccountantNames, "accountant", json.at("accountant"));
    s.dimension = json.at("dimension");
    s.sensitivity_margin = json.at("sensitivity_margin");
    if (s.clipping == ClippingKind::kAdaptive) {
        const Json& adaptive = json.at("adaptive");
        s.adaptive = {adaptive.at("quantile"), adaptive.at("learning_rate"),
                      adaptive.at("count_noise")};
    }
    if (json.at("adjacency") != "add-or-remove-one") {
        throw Error(ErrorCode::kUnsupported,
                    "privacy plan: adjacency must be add-or-remove-one, got " +
                        json.at("adjacency").dump());
    }
    return s;
}

std::string unit_in_words(const PlanRequest& s) {
    if (s.unit == PrivacyUnit::kExample) return "one training example";
    return "one group of at most " + std::to_string(s.max_contributions) + " training examples";
}

std::string clipping_in_words(const PrivacyPlan& plan) {
    std::ostringstream text;
    switch (plan.settings().clipping) {
        case ClippingKind::kFlat:
            text << "clipped to L2 norm " << plan.clipping_norm();
            break;
        case ClippingKind::kPerLayer:
            text << "clipped layer by layer, to L2 norm " << plan.clipping_norm() << " in all";
            break;
        case ClippingKind::kAutomatic:
            text << "scaled to L2 norm " << plan.clipping_norm();
            break;
        case ClippingKind::kAdaptive:
            text << "clipped to an L2 norm that follows a private quantile of the gradient norms";
            break;
    }
    return text.str();
}

}  // namespace

// Two laws are compared, hence every cost counts twice. x = 1100 makes exp(-x) vanish beside any
// delta even after a factor exp(epsilon).
GridSlack grid_slack(double samples, double sigma_steps) {
    constexpr double kX = 1100;
    const double variance = sigma_steps * sigma_steps;
    const double log_ratio = (2 * std::sqrt(samples * kX) + 2 * kX) / (24 * variance) +
                             samples * 17100 / (variance * variance);
    const double sampler = samples * 0x1p-92;
    const double tail = samples * 4 * std::exp(-512.0);
    return {2 * (log_ratio + sampler), 2 * tail * std::exp(kGridSlackMaxEpsilon) + 1e-280};
}

std::string plan_settings_text(const PlanRequest& settings) {
    return settings_json(settings).dump();
}

std::string plan_text(const PrivacyPlan& plan) {
    Json json = settings_json(plan.settings());
    const PlanEpsilon epsilon = plan.epsilon();
    json["figures"] = {{"sampling_rate", plan.sampling_rate()},
                       {"gradient_noise_multiplier", plan.gradient_noise_multiplier()},
                       {"grid_step", plan.grid_step()},
                       {"noise_sigma_steps", plan.noise_sigma_steps()},
                       {"epsilon_upper", epsilon.upper},
                       {"epsilon_lower", epsilon.lower},
                       {"epsilon_rdp", epsilon.rdp},
                       {"rdp_order", epsilon.rdp_order},
                       {"slack_epsilon", plan.slack().epsilon},
                       {"slack_delta", plan.slack().delta}};
    return json.dump(2);
}

PlanRequest parse_plan_settings(const std::string& text) {
    try {
        const Json json = Json::parse(text);
        const int version = json.at("version");
        if (version != kVersion) {
            throw Error(ErrorCode::kUnsupported,
                        "privacy plan: version must be 1, got " + std::to_string(version),
                        "update Ward");
        }
        return settings_from(json);
    } catch (const nlohmann::json::exception& error) {
        std::string what = error.what();
        what = what.substr(what.find("] ") == std::string::npos ? 0 : what.find("] ") + 2);
        throw Error(ErrorCode::kCorrupt, "privacy plan: " + what,
                    "a plan is what `ward train` stores in the model card");
    }
}

}  // namespace ward::dp::internal

namespace ward::dp {

namespace {

// To four digits, towards the side on which the sentence stays true.
double four_digits(double value, bool up) {
    if (!(value > 0) || std::isinf(value)) return value;
    const double unit = std::pow(10, std::floor(std::log10(value)) - 3);
    return (up ? std::ceil(value / unit - 1e-9) : std::floor(value / unit + 1e-9)) * unit;
}

}  // namespace

std::string PrivacyPlan::statement() const {
    const PlanEpsilon exact = epsilon();
    const PlanEpsilon e{four_digits(exact.upper, true), four_digits(exact.lower, false),
                        four_digits(exact.rdp, true), exact.rdp_order};
    const PlanRequest& s = settings();
    std::ostringstream text;
    text.precision(4);
    text << "The model is (" << e.upper << ", " << delta() << ")-differentially private: adding or "
         << "removing " << internal::unit_in_words(s) << " changes the probability of any outcome "
         << "of training by a factor of at most exp(" << e.upper
         << ") = " << four_digits(std::exp(e.upper), true) << ", plus " << delta() << ".\n"
         << "How: in each of " << s.steps << " steps ";
    if (s.expected_batch == s.examples) {
        text << "every example takes part (no sampling), ";
    } else {
        text << "every example is drawn independently with probability " << s.expected_batch << "/"
             << s.examples << " (Poisson sampling), ";
    }
    text << "gradients are " << internal::clipping_in_words(*this)
         << ", and discrete Gaussian noise from a cryptographic generator is added to their sum, "
         << noise_multiplier() << " times the norm.\n"
         << "Accounting: "
         << (s.accountant == Accountant::kPld ? "privacy loss distribution" : "Renyi") << ", true "
         << "epsilon of this mechanism at least " << e.lower << "; Renyi accounting says " << e.rdp
         << ". The adversary may see every step and know all other data.\n"
         << "Not covered: the number of examples, the choice of architecture and of settings, "
         << "anything computed from the data before training (bounds, vocabularies, scaling), "
         << "training losses or metrics on training data if they were shown, other releases from "
         << "the same data, and what the population as a whole implies about a person.\n";
    return text.str();
}

}  // namespace ward::dp
