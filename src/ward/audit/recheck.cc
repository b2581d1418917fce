#include "ward/audit/recheck.h"

#include <algorithm>
#include <cmath>

#include "ward/audit/internal/text.h"
#include "ward/audit/privacy_facts.h"
#include "ward/core/error.h"
#include "ward/dp/plan.h"

namespace ward::audit {
namespace {

constexpr double kEpsilonTolerance = 1e-3;

bool close(double a, double b, double tolerance) {
    return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

void compare(const std::string& what, double recorded, double planned, double tolerance,
             std::vector<std::string>* disagreements) {
    if (close(recorded, planned, tolerance)) return;
    disagreements->push_back(what + " is recorded as " + significant(recorded, 6) +
                             ", the recorded plan gives " + significant(planned, 6));
}

// The first list and what the second has besides.
std::vector<std::string> united(std::vector<std::string> first,
                                const std::vector<std::string>& second) {
    for (const std::string& text : second) {
        if (std::find(first.begin(), first.end(), text) == first.end()) first.push_back(text);
    }
    return first;
}

}  // namespace

PrivacyFacts shown_facts(const PrivacyFacts& recorded, const Recheck& recheck) {
    PrivacyFacts shown = recorded;
    if (!recheck.planned) return shown;
    const PrivacyFacts& planned = *recheck.planned;
    shown.adjacency = planned.adjacency;
    shown.sampler = planned.sampler;
    shown.clipping = planned.clipping;
    shown.statement = planned.statement;
    shown.warnings = united(planned.warnings, recorded.warnings);
    shown.not_covered = united(planned.not_covered, recorded.not_covered);
    return shown;
}

Recheck recheck(const PrivacyFacts& privacy) {
    Recheck result;
    if (privacy.plan_json.empty()) return result;
    result.possible = true;
    try {
        const dp::PrivacyPlan plan = dp::PrivacyPlan::from_json(privacy.plan_json);
        result.planned = privacy_facts(plan, false);
        const PrivacyFacts& facts = *result.planned;
        result.epsilon_upper = facts.epsilon_upper;
        result.phase = plan.accounted_phase(plan.steps());
        const auto check = [&](const char* what, double recorded, double planned,
                               double tolerance) {
            compare(what, recorded, planned, tolerance, &result.disagreements);
        };
        check("epsilon", privacy.epsilon_upper, facts.epsilon_upper, kEpsilonTolerance);
        check("delta", privacy.delta, facts.delta, 1e-12);
        check("the noise multiplier", privacy.noise_multiplier, facts.noise_multiplier, 1e-12);
        check("the sampling rate", privacy.sampling_rate, facts.sampling_rate, 1e-12);
        check("the clipping norm", privacy.clipping_norm, facts.clipping_norm, 1e-12);
        check("the number of steps", static_cast<double>(privacy.steps),
              static_cast<double>(facts.steps), 0);
        check("the most rows of one unit", static_cast<double>(privacy.max_contributions),
              static_cast<double>(facts.max_contributions), 0);
        if (privacy.unit != facts.unit) {
            result.disagreements.push_back("the unit of privacy is recorded as " + privacy.unit +
                                           ", the recorded plan protects each " + facts.unit);
        }
        const auto check_words = [&](const char* what, const std::string& recorded,
                                     const std::string& planned) {
            if (recorded == planned) return;
            result.disagreements.push_back(std::string(what) +
                                           " is recorded in words that the recorded plan does not "
                                           "give");
        };
        check_words("the change of the data that is protected", privacy.adjacency, facts.adjacency);
        // Cards of earlier versions called a plan that draws nothing Poisson sampling at rate 1.
        if (facts.sampler != kNoSampler || privacy.sampler != "poisson") {
            check_words("the sampler", privacy.sampler, facts.sampler);
        }
        check_words("the kind of clipping", privacy.clipping, facts.clipping);
    } catch (const Error& error) {
        result.disagreements.push_back("the recorded plan cannot be accounted: " + error.message());
    }
    return result;
}

}  // namespace ward::audit
