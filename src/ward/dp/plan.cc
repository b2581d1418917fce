#include "ward/dp/plan.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "ward/core/error.h"
#include "ward/dp/discrete_gaussian.h"
#include "ward/dp/internal/plan_text.h"
#include "ward/dp/rdp.h"

namespace ward::dp {
namespace {

constexpr double kLeastSigmaSteps = 0x1p24;  // then sigma lies in [2^24, 2^25): 32-bit samples

template <typename T>
std::string text_of(T value) {
    std::ostringstream text;
    text << value;
    return text.str();
}

template <typename T>
void require(bool ok, const std::string& what, const std::string& expected, T got,
             const std::string& hint = {}) {
    if (ok) return;
    throw Error(ErrorCode::kUsage, what + " must be " + expected + ", got " + text_of(got), hint);
}

bool positive(double value) { return value > 0 && std::isfinite(value); }

void require_sampling(const PlanRequest& r) {
    if (r.sampler != SamplerKind::kPoisson) {
        throw Error(
            ErrorCode::kRefused,
            "the privacy guarantee needs Poisson sampling, got another sampler",
            "let the plan draw the batches; epsilon of a shuffled or custom order is larger "
            "than a Poisson accountant says");
    }
    require(r.examples >= 1, "number of examples", "at least 1", r.examples);
    require(r.expected_batch >= 1, "expected batch size", "at least 1", r.expected_batch);
    if (r.expected_batch > r.examples) {
        throw Error(ErrorCode::kUsage,
                    "expected batch size must be at most the number of examples (" +
                        text_of(r.examples) + "), got " + text_of(r.expected_batch),
                    "use a smaller batch");
    }
    require(r.steps >= 1, "number of steps", "at least 1", r.steps);
}

void require_clipping(const PlanRequest& r) {
    if (r.clipping == ClippingKind::kPerLayer) {
        require(!r.layer_norms.empty(), "per-layer clipping", "given one norm for each layer",
                "none");
        for (double norm : r.layer_norms) {
            require(positive(norm), "clipping norm of a layer", "finite and > 0", norm);
        }
        return;
    }
    require(positive(r.clipping_norm), "clipping norm", "finite and > 0", r.clipping_norm);
    if (r.clipping != ClippingKind::kAdaptive) return;
    const AdaptiveClipping& a = r.adaptive;
    require(a.quantile > 0 && a.quantile < 1, "clipping quantile", "in (0, 1)", a.quantile);
    require(positive(a.learning_rate), "learning rate of the clipping norm", "finite and > 0",
            a.learning_rate);
    require(a.count_noise >= 0 && std::isfinite(a.count_noise), "noise of the clipping quantile",
            "finite and >= 0", a.count_noise);
}

void require_rest(const PlanRequest& r) {
    require_valid_delta(r.delta);
    require(r.target_epsilon.has_value() != r.noise_multiplier.has_value(), "a plan",
            "given either a target epsilon or a noise multiplier",
            r.target_epsilon ? "both" : "neither");
    if (r.target_epsilon) require_valid_epsilon(*r.target_epsilon);
    if (r.noise_multiplier) {
        const SampledGaussianPhase phase{1, *r.noise_multiplier, 1};
        require_valid_phases({&phase, 1});
    }
    require(r.max_contributions >= 1, "contributions of one group", "at least 1",
            r.max_contributions);
    require(r.unit == PrivacyUnit::kGroup || r.max_contributions == 1,
            "contributions with examples as the unit", "1", r.max_contributions,
            "choose groups as the unit of privacy");
    require(r.dimension >= 1, "number of parameters", "at least 1", r.dimension);
    require(r.sensitivity_margin >= 0 && r.sensitivity_margin <= 1, "sensitivity margin",
            "in [0, 1]", r.sensitivity_margin);
}

// sigma in steps of a lattice of 2^-k: noise times the sensitivity in steps.
double sigma_steps_at(double noise, double margin, double dimension, double step) {
    return noise * ((1 + margin) / step + std::sqrt(dimension));
}

}  // namespace

PrivacyPlan::PrivacyPlan(PlanRequest settings) : settings_(std::move(settings)) {
    const double noise = gradient_noise_multiplier();
    const double dimension = static_cast<double>(settings_.dimension);
    grid_step_ = 0x1p10;
    while (sigma_steps_at(noise, settings_.sensitivity_margin, dimension, grid_step_) <
           kLeastSigmaSteps) {
        grid_step_ /= 2;
    }
    // Beyond this the rounding would add more than half of C to the sensitivity.
    const double rounding = std::sqrt(dimension) * grid_step_;
    if (rounding > 0.5 || noise_sigma_steps() > DiscreteGaussian::kMaxSigma32) {
        throw Error(ErrorCode::kRefused,
                    "rounding " + text_of(settings_.dimension) +
                        " parameters to the noise lattice would move the sum by " +
                        text_of(rounding) + " clipping norms",
                    "use less noise or fewer trainable parameters");
    }
}

PrivacyPlan PrivacyPlan::create(const PlanRequest& request) {
    require_sampling(request);
    require_clipping(request);
    require_rest(request);
    PlanRequest settings = request;
    if (settings.clipping == ClippingKind::kAdaptive && settings.adaptive.count_noise == 0) {
        settings.adaptive.count_noise = static_cast<double>(request.expected_batch) / 20;
    }
    if (request.target_epsilon) {
        // The slack does not depend on the noise but through sigma in steps, at least 2^24.
        settings.noise_multiplier = 1;
        const GridSlack slack = internal::grid_slack(
            static_cast<double>(request.dimension) * static_cast<double>(request.steps),
            kLeastSigmaSteps);
        const double target = *request.target_epsilon - slack.epsilon;
        if (!(target > 0) || !(slack.delta < request.delta / 2)) {
            throw Error(ErrorCode::kRefused,
                        "the target lies within what discrete noise costs (epsilon " +
                            text_of(slack.epsilon) + ", delta " + text_of(slack.delta) + ")",
                        "allow a larger epsilon or delta");
        }
        settings.target_epsilon.reset();
        const double group = static_cast<double>(settings.max_contributions);
        const auto rate = PrivacyPlan(settings).accounted_phase(1).sampling_rate;
        settings.noise_multiplier =
            group * calibrate_noise_multiplier(target, request.delta - slack.delta, rate,
                                               request.steps, request.accountant);
        settings.target_epsilon = request.target_epsilon;
    }
    if (settings.clipping == ClippingKind::kAdaptive &&
        !(*settings.noise_multiplier < 2 * settings.adaptive.count_noise)) {
        throw Error(ErrorCode::kRefused,
                    "noise of the clipping quantile must be above half the noise multiplier (" +
                        text_of(*settings.noise_multiplier / 2) + "), got " +
                        text_of(settings.adaptive.count_noise),
                    "raise it, or use a fixed clipping norm");
    }
    PrivacyPlan plan(std::move(settings));
    const SampledGaussianPhase phase = plan.accounted_phase(plan.steps());
    if (const double epsilon = rdp_epsilon({&phase, 1}, plan.delta()).epsilon;
        !(epsilon < internal::kGridSlackMaxEpsilon)) {
        throw Error(ErrorCode::kRefused,
                    "noise multiplier " + text_of(plan.noise_multiplier()) +
                        " protects nothing here: epsilon would be about " + text_of(epsilon),
                    "use more noise or fewer steps, or train without privacy");
    }
    return plan;
}

double PrivacyPlan::sampling_rate() const {
    return static_cast<double>(settings_.expected_batch) / static_cast<double>(settings_.examples);
}

// Andrew et al. 2021, theorem 1: sum and count together are one Gaussian release of multiplier z if
// 1/z^2 = 1/z_sum^2 + 1/(2 count_noise)^2; the count of (b - 1/2) has sensitivity 1/2.
double PrivacyPlan::gradient_noise_multiplier() const {
    const double z = noise_multiplier();
    if (settings_.clipping != ClippingKind::kAdaptive) return z;
    const double count = 2 * count_noise();
    if (!(z < count)) return z;  // create() refuses this
    return 1 / std::sqrt(1 / (z * z) - 1 / (count * count));
}

double PrivacyPlan::count_noise() const {
    return settings_.clipping == ClippingKind::kAdaptive ? settings_.adaptive.count_noise : 0;
}

double PrivacyPlan::clipping_norm() const {
    if (settings_.clipping != ClippingKind::kPerLayer) return settings_.clipping_norm;
    double squares = 0;
    for (double norm : settings_.layer_norms) squares += norm * norm;
    return std::sqrt(squares);
}

double PrivacyPlan::noise_sigma_steps() const {
    return sigma_steps_at(gradient_noise_multiplier(), settings_.sensitivity_margin,
                          static_cast<double>(settings_.dimension), grid_step_);
}

GridSlack PrivacyPlan::slack() const {
    const double samples =
        static_cast<double>(settings_.dimension) * static_cast<double>(settings_.steps);
    return internal::grid_slack(samples, kLeastSigmaSteps);
}

SampledGaussianPhase PrivacyPlan::accounted_phase(int64_t steps) const {
    double rate = sampling_rate();
    const double group = static_cast<double>(settings_.max_contributions);
    if (group > 1 && rate < 1) rate = -std::expm1(group * std::log1p(-rate));
    if (settings_.expected_batch < settings_.examples) {
        rate = std::min(1.0, rate * (1 + 0x1p-50));  // up: the fraction is not a double
    }
    return {rate, noise_multiplier() / group, steps};
}

PlanEpsilon PrivacyPlan::epsilon_after(int64_t steps) const {
    require(steps >= 0 && steps <= settings_.steps, "steps taken",
            "between 0 and " + text_of(settings_.steps), steps);
    if (steps == 0) return {};
    const SampledGaussianPhase phase = accounted_phase(steps);
    const GridSlack slack = this->slack();
    const double delta = settings_.delta - slack.delta;
    if (!(delta > settings_.delta / 2)) {
        throw Error(ErrorCode::kRefused,
                    "delta " + text_of(settings_.delta) +
                        " lies within what discrete noise costs (" + text_of(slack.delta) + ")",
                    "allow a larger delta");
    }
    const RdpEpsilon rdp = rdp_epsilon({&phase, 1}, delta);
    const CertifiedValue pld = pld_epsilon({&phase, 1}, delta);
    PlanEpsilon result{pld.upper + slack.epsilon, std::max(0.0, pld.lower - slack.epsilon),
                       rdp.epsilon + slack.epsilon, rdp.order};
    if (settings_.accountant == Accountant::kRdp) result.upper = result.rdp;
    return result;
}

std::vector<std::string> PrivacyPlan::warnings() const {
    std::vector<std::string> list;
    if (settings_.delta * static_cast<double>(settings_.examples) >= 1) {
        list.push_back("delta " + text_of(settings_.delta) + " is not below 1 / " +
                       text_of(settings_.examples) +
                       ": publishing one whole example would satisfy it");
    }
    if (settings_.target_epsilon && *settings_.target_epsilon > 10) {
        list.push_back("epsilon " + text_of(*settings_.target_epsilon) +
                       " is above 10: a weak guarantee against a strong adversary");
    }
    if (settings_.clipping == ClippingKind::kAutomatic && settings_.expected_batch < 16) {
        list.push_back(
            "automatic clipping gives every example the full norm: small batches are "
            "mostly noise");
    }
    return list;
}

bool operator==(const PrivacyPlan& a, const PrivacyPlan& b) {
    return internal::plan_settings_text(a.settings()) == internal::plan_settings_text(b.settings());
}

std::string PrivacyPlan::to_json() const { return internal::plan_text(*this); }

PrivacyPlan PrivacyPlan::from_json(const std::string& text) {
    PlanRequest request = internal::parse_plan_settings(text);
    const auto target = request.target_epsilon;
    if (request.noise_multiplier) request.target_epsilon.reset();
    PrivacyPlan plan = create(request);
    plan.settings_.target_epsilon = target;
    return plan;
}

}  // namespace ward::dp
