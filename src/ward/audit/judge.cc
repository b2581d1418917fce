#include "ward/audit/judge.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "ward/audit/internal/text.h"
#include "ward/audit/training_report.h"

namespace ward::audit {
namespace {

using Outcome = GateResult::Outcome;

constexpr double kSame = 1e-9;  // of epsilons and rates written in files
constexpr double kAccountingSlack = 1e-6;

bool same(double a, double b) { return std::abs(a - b) <= kSame * std::max(1.0, std::abs(b)); }

// The most that an attack may reach, at the worst false-positive rate that fits the data.
void check_attacks(const ModelClaims& claims, const ExperimentResult& result,
                   Judgement& judgement) {
    for (const MembershipCurve& curve : result.curves) {
        for (const RatePoint& rate : curve.rates) {
            const double most =
                attack_hit_rate_bound(*claims.epsilon, claims.delta, rate.reached_at_most);
            if (rate.found_at_least <= most) continue;
            judgement.contradictions.push_back(
                "Attack " + curve.attack + " finds at least " + percent(rate.found_at_least, 2) +
                " of the members at a false-positive rate of at most " +
                percent(rate.reached_at_most, 2) + "; under the claimed epsilon of " +
                significant(*claims.epsilon) + " no attack could find more than " +
                percent(most, 2) + " (95 % for all attacks of the experiment together).");
        }
    }
}

void check_claims(const ModelClaims& claims, const std::vector<ExperimentResult>& results,
                  Judgement& judgement) {
    if (!claims.epsilon) return;
    if (claims.accounted_again &&
        *claims.accounted_again > *claims.epsilon * (1 + kAccountingSlack)) {
        judgement.contradictions.push_back(
            "The model claims epsilon " + significant(*claims.epsilon) +
            ", but the plan it carries accounts for " + significant(*claims.accounted_again) + ".");
    }
    for (const ExperimentResult& result : results) {
        for (const AuditedEpsilon& audited : result.epsilons) {
            if (!audited.contradicts) continue;
            judgement.contradictions.push_back(
                "The training claims epsilon " + significant(audited.claimed) +
                "; an audit of it shows more than " +
                significant(std::max(audited.lower, audited.curve_lower)) +
                " (the higher of two bounds, each with 95 % confidence).");
        }
        check_attacks(claims, result, judgement);
    }
}

GateResult gate(const std::string& name, bool shown, double value, bool holds,
                const std::string& found) {
    if (!shown || std::isnan(value)) return {name, "not measured", Outcome::kNotShown};
    return {name, found, holds ? Outcome::kHolds : Outcome::kFails};
}

GateResult epsilon_gate(const ModelClaims& claims, double most) {
    const std::string name = "max_epsilon " + significant(most);
    if (!claims.epsilon) return {name, "no guarantee", Outcome::kFails};
    const double epsilon = std::max(*claims.epsilon, claims.accounted_again.value_or(0));
    if (!claims.accounted_again && epsilon <= most)
        return {name, "claimed, but the card holds no plan to account", Outcome::kNotShown};
    return gate(name, true, epsilon, epsilon <= most,
                significant(epsilon) + " at delta " + significant(claims.delta));
}

// Attacks without reference models are the weakest: that they fail shows nothing.
bool shows_membership(const ExperimentResult& result) {
    constexpr int64_t kFewest = 50;  // intervals of fewer examples may shrink to a point
    if (std::min(result.members, result.others) < kFewest) return false;
    return std::any_of(
        result.curves.begin(), result.curves.end(), [](const MembershipCurve& curve) {
            return curve.attack.starts_with("lira") || curve.attack.starts_with("rmia");
        });
}

// The highest upper end over all attacks.
GateResult auc_gate(const std::vector<ExperimentResult>& results, double most) {
    double worst = 0;
    bool shown = false;
    for (const ExperimentResult& result : results) {
        for (const MembershipCurve& curve : result.curves) {
            shown = shown || shows_membership(result);
            worst = std::max(worst, curve.auc_interval.high);
        }
    }
    return gate("max_auc " + significant(most), shown || worst > most, worst, worst <= most,
                "at most " + significant(worst));
}

GateResult rate_gate(const std::vector<ExperimentResult>& results, const Gates::Rate& wanted) {
    double worst = 0;
    bool shown = false;
    for (const ExperimentResult& result : results) {
        for (const MembershipCurve& curve : result.curves) {
            for (const RatePoint& rate : curve.rates) {
                if (!same(rate.false_positive_rate, wanted.false_positive_rate) || !rate.resolved)
                    continue;
                shown = shown || shows_membership(result);
                worst = std::max({worst, rate.interval.high, rate.at_wanted.high});
            }
        }
    }
    return gate("max_tpr_at_fpr " + significant(wanted.most) + " at " +
                    significant(wanted.false_positive_rate),
                shown || worst > wanted.most, worst, worst <= wanted.most,
                "at most " + significant(worst));
}

// At the radius asked for or a larger one: what holds there holds inside.
GateResult robustness_gate(const std::vector<ExperimentResult>& results,
                           const Gates::Robustness& wanted) {
    double least = 1, nearest = INFINITY;
    std::string attack;
    for (const ExperimentResult& result : results) {
        if (result.spec.kind != ExperimentKind::kEvasion || result.spec.norm != wanted.norm)
            continue;
        for (const RobustPoint& point : result.robust) {
            if (point.epsilon < wanted.epsilon && !same(point.epsilon, wanted.epsilon)) continue;
            if (point.epsilon > nearest && !same(point.epsilon, nearest)) continue;
            if (!same(point.epsilon, nearest)) least = 1;
            nearest = point.epsilon;
            if (attack.empty() || point.interval.low < least) attack = result.spec.attack;
            least = std::min(least, point.interval.low);
        }
    }
    return gate("min_robust_accuracy " + significant(wanted.least) + " at " + wanted.norm + " " +
                    significant(wanted.epsilon),
                std::isfinite(nearest), least, least >= wanted.least,
                "at least " + significant(least) + " against " + attack);
}

// A copy with fewer queries is no better, so a budget that was measured at or above the one asked
// for speaks for all below it; and one below it that reached the fidelity, against.
GateResult extraction_gate(const std::vector<ExperimentResult>& results,
                           const Gates::Extraction& wanted) {
    const std::string name = "min_extraction_queries " + grouped(wanted.queries) +
                             " for fidelity " + significant(wanted.fidelity);
    const auto said = [](const CopyPoint& copy) {
        return "up to " + significant(copy.interval.high) + " after " + grouped(copy.queries);
    };
    bool open = false;
    const CopyPoint* best = nullptr;
    for (const ExperimentResult& result : results) {
        for (const CopyPoint& copy : result.copies) {
            const bool reached = copy.interval.high >= wanted.fidelity;
            if (copy.queries <= wanted.queries && reached)
                return {name, said(copy), Outcome::kFails};
            if (copy.queries < wanted.queries) continue;
            // Reached beyond the budget asked for: whether it was reached below is not known.
            if (reached)
                open = true;
            else if (best == nullptr || copy.interval.high > best->interval.high)
                best = &copy;
            break;
        }
    }
    if (open || best == nullptr) return {name, "not measured", Outcome::kNotShown};
    return {name, said(*best), Outcome::kHolds};
}

// A bound from above by one attack: a suite of attacks is the least that should stand behind it.
void warn_of_weak_evidence(const GateResult& gate, Judgement& judgement) {
    if (gate.outcome == Outcome::kHolds && gate.found.find("autoattack") == std::string::npos)
        judgement.warnings.push_back(gate.gate + " rests on one attack; autoattack may find more");
}

void check_gates(const ModelClaims& claims, const std::vector<ExperimentResult>& results,
                 const Gates& gates, Judgement& judgement) {
    if (gates.max_epsilon) judgement.gates.push_back(epsilon_gate(claims, *gates.max_epsilon));
    if (gates.max_auc) judgement.gates.push_back(auc_gate(results, *gates.max_auc));
    for (const Gates::Rate& rate : gates.max_tpr_at_fpr)
        judgement.gates.push_back(rate_gate(results, rate));
    for (const Gates::Robustness& robustness : gates.min_robust_accuracy)
        warn_of_weak_evidence(judgement.gates.emplace_back(robustness_gate(results, robustness)),
                              judgement);
    std::set<std::string> copied_by;
    for (const ExperimentResult& result : results)
        if (!result.copies.empty()) copied_by.insert(result.spec.attack);
    for (const Gates::Extraction& extraction : gates.min_extraction_queries) {
        judgement.gates.push_back(extraction_gate(results, extraction));
        if (judgement.gates.back().outcome == Outcome::kHolds && copied_by.size() < 2)
            judgement.warnings.push_back(judgement.gates.back().gate +
                                         " rests on one attack; another may need fewer queries");
    }
}

void collect_warnings(const std::vector<ExperimentResult>& results, Judgement& judgement) {
    for (const ExperimentResult& result : results) {
        if (result.status != ExperimentStatus::kDone) {
            judgement.warnings.push_back(
                result.spec.id +
                (result.status == ExperimentStatus::kSkipped ? " was skipped: " : " failed: ") +
                result.reason);
        }
        for (const std::string& flag : result.flags)
            judgement.warnings.push_back(result.spec.id + ": " + flag);
    }
}

}  // namespace

bool Judgement::refuses() const {
    return !contradictions.empty() ||
           std::any_of(gates.begin(), gates.end(),
                       [](const GateResult& gate) { return gate.outcome != Outcome::kHolds; });
}

Judgement judge(const ModelClaims& claims, const std::vector<ExperimentResult>& results,
                const Gates& gates) {
    Judgement judgement;
    check_claims(claims, results, judgement);
    check_gates(claims, results, gates, judgement);
    collect_warnings(results, judgement);
    if (judgement.refuses()) {
        judgement.verdict = Verdict::kRed;
    } else if (judgement.warnings.empty() && !judgement.gates.empty()) {
        judgement.verdict = Verdict::kGreen;
    }
    return judgement;
}

std::string_view verdict_name(Verdict verdict) {
    if (verdict == Verdict::kGreen) return "green";
    return verdict == Verdict::kAmber ? "amber" : "red";
}

}  // namespace ward::audit
