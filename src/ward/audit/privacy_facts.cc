#include "ward/audit/privacy_facts.h"

#include "ward/audit/internal/not_covered.h"

namespace ward::audit {
namespace {

std::string clipping_name(dp::ClippingKind kind) {
    switch (kind) {
        case dp::ClippingKind::kFlat:
            return "flat";
        case dp::ClippingKind::kPerLayer:
            return "per-layer";
        case dp::ClippingKind::kAutomatic:
            return "automatic";
        case dp::ClippingKind::kAdaptive:
            return "adaptive";
    }
    return "";
}

}  // namespace

PrivacyFacts privacy_facts(const dp::PrivacyPlan& plan, bool bounds_read_from_data) {
    const dp::PlanEpsilon epsilon = plan.epsilon();
    PrivacyFacts facts;
    facts.epsilon_upper = epsilon.upper;
    facts.epsilon_lower = epsilon.lower;
    facts.rdp_epsilon = epsilon.rdp;
    facts.delta = plan.delta();
    facts.unit = plan.settings().unit == dp::PrivacyUnit::kExample ? "example" : "group";
    facts.adjacency = "add or remove one " + facts.unit;
    facts.max_contributions = plan.settings().max_contributions;
    facts.sampler = plan.sampling_rate() < 1 ? "poisson" : kNoSampler;
    facts.noise_multiplier = plan.noise_multiplier();
    facts.clipping = clipping_name(plan.settings().clipping);
    facts.clipping_norm = plan.clipping_norm();
    facts.sampling_rate = plan.sampling_rate();
    facts.steps = plan.steps();
    facts.statement = plan.statement();
    facts.warnings = plan.warnings();
    facts.plan_json = plan.to_json();
    facts.not_covered = {kChoicesNotCovered, kTestNotCovered, kCostNotCovered};
    if (bounds_read_from_data) facts.not_covered.push_back(kBoundsNotCovered);
    return facts;
}

}  // namespace ward::audit
