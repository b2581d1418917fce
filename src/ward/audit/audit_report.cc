#include "ward/audit/audit_report.h"

#include <algorithm>

#include "ward/audit/internal/audit_sections.h"
#include "ward/audit/internal/text.h"

namespace ward::audit {
namespace {

std::string verdict_sentence(const Judgement& judgement) {
    if (!judgement.contradictions.empty())
        return "CONTRADICTED. " + judgement.contradictions.front();
    if (judgement.refuses()) {
        std::string failed;
        for (const GateResult& gate : judgement.gates) {
            if (gate.outcome == GateResult::Outcome::kHolds) continue;
            failed += (failed.empty() ? "" : "; ") + gate.gate + " (" + gate.found + ")";
        }
        return "NOT RELEASED. These gates do not hold or were not shown: " + failed + ".";
    }
    if (judgement.verdict == Verdict::kGreen)
        return "All gates hold, nothing is contradicted and no warning is up.";
    return judgement.gates.empty()
               ? "Nothing is contradicted. No gates were given, so this is evidence without a "
                 "decision."
               : "All gates hold and nothing is contradicted, but there are warnings.";
}

Tone tone_of(Verdict verdict) {
    if (verdict == Verdict::kGreen) return Tone::kGood;
    return verdict == Verdict::kAmber ? Tone::kCaution : Tone::kBad;
}

// ---- claims

const AuditedEpsilon* audited_epsilon(const std::vector<ExperimentResult>& results) {
    const AuditedEpsilon* best = nullptr;
    for (const ExperimentResult& result : results) {
        for (const AuditedEpsilon& audited : result.epsilons)
            if (best == nullptr || audited.lower > best->lower) best = &audited;
    }
    return best;
}

std::string counted(size_t count, const std::string& what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::vector<Highlight> highlights(const ModelClaims& claims,
                                  const std::vector<ExperimentResult>& results,
                                  const Judgement& judgement) {
    std::vector<Highlight> list;
    const std::string counts = counted(judgement.contradictions.size(), "contradiction") + ", " +
                               counted(judgement.warnings.size(), "warning");
    list.push_back({"Verdict", std::string(verdict_name(judgement.verdict)), counts,
                    tone_of(judgement.verdict)});
    const AuditedEpsilon* audited = audited_epsilon(results);
    std::string detail = "no audit of the training was made";
    if (audited != nullptr) {
        detail = "the audit shows at least " +
                 significant(std::max(audited->lower, audited->curve_lower), 3);
    }
    list.push_back({"Proved epsilon", claims.epsilon ? significant(*claims.epsilon) : "none",
                    claims.epsilon ? detail : "the model claims no guarantee",
                    audited != nullptr && audited->contradicts ? Tone::kBad : Tone::kNeutral});
    for (const ExperimentResult& result : results) {
        if (result.robust.empty()) continue;
        const RobustPoint& point = result.robust[result.robust.size() / 2];
        list.push_back({"Robust accuracy", percent(point.accuracy),
                        norm_text(result.spec.norm) + " " + significant(point.epsilon) + ", " +
                            result.spec.attack + "; " + percent(result.clean_accuracy) +
                            " without attack",
                        Tone::kNeutral});
        break;
    }
    const MembershipCurve* worst = nullptr;
    for (const ExperimentResult& result : results) {
        for (const MembershipCurve& curve : result.curves)
            if (worst == nullptr || curve.auc > worst->auc) worst = &curve;
    }
    if (worst != nullptr) {
        list.push_back({"Membership AUC", fixed(worst->auc, 3),
                        "best attack: " + worst->attack + "; 0.5 is guessing", Tone::kNeutral});
    }
    for (const ExperimentResult& result : results) {
        if (!result.copies.empty()) {
            const CopyPoint& last = result.copies.back();
            list.push_back({"Fidelity of a copy", percent(last.fidelity),
                            "after " + grouped(last.queries) +
                                " queries; a constant: " + percent(result.constant_fidelity),
                            Tone::kNeutral});
        }
        if (!result.inverted.empty()) {
            list.push_back({"Classes recognised",
                            std::to_string(recognised(result)) + " of " +
                                std::to_string(result.inverted.size()),
                            "in pictures made from the model alone, " + result.spec.attack,
                            Tone::kNeutral});
        }
    }
    return list;
}

Section claims_section(const ModelClaims& claims, const std::vector<ExperimentResult>& results,
                       const Judgement& judgement) {
    Section section;
    section.id = "claims";
    section.title = "Claims against evidence";
    section.lead =
        "What the model claims and what the gates ask for, beside what the experiments below "
        "found.";
    Table gates{"Gates", {"gate", "found", "outcome"}, {}};
    for (const GateResult& gate : judgement.gates) {
        gates.rows.push_back({gate.gate, gate.found,
                              gate.outcome == GateResult::Outcome::kHolds   ? "holds"
                              : gate.outcome == GateResult::Outcome::kFails ? "FAILS"
                                                                            : "NOT SHOWN"});
        gates.tones.push_back(gate.outcome == GateResult::Outcome::kHolds   ? Tone::kGood
                              : gate.outcome == GateResult::Outcome::kFails ? Tone::kBad
                                                                            : Tone::kCaution);
    }
    Table evidence{"Evidence for each claim", {"claim", "evidence", "agrees"}, {}};
    if (claims.epsilon) {
        const std::string claim = "epsilon " + significant(*claims.epsilon) + " at delta " +
                                  small_probability(claims.delta);
        if (claims.accounted_again) {
            const bool agrees = *claims.accounted_again <= *claims.epsilon * (1 + 1e-6);
            evidence.rows.push_back(
                {claim,
                 "accounted again from the model's plan: " + significant(*claims.accounted_again),
                 agrees ? "yes" : "NO"});
            evidence.tones.push_back(agrees ? Tone::kGood : Tone::kBad);
        }
        if (const AuditedEpsilon* audited = audited_epsilon(results)) {
            evidence.rows.push_back({claim,
                                     "audit with " + grouped(audited->canaries) +
                                         " canaries: at least " + significant(audited->lower, 3) +
                                         ", by its curve " + significant(audited->curve_lower, 3),
                                     audited->contradicts ? "NO" : "yes"});
            evidence.tones.push_back(audited->contradicts ? Tone::kBad : Tone::kGood);
        }
    }
    if (!gates.rows.empty()) section.tables.push_back(gates);
    if (!evidence.rows.empty()) section.tables.push_back(evidence);
    if (const Chart chart = trade_off_chart(claims, results); !chart.series.empty())
        section.charts.push_back(chart);
    section.notes_title = "Contradictions, warnings and limits";
    for (const std::string& text : judgement.contradictions)
        section.notes.push_back("CONTRADICTION: " + text);
    section.notes.insert(section.notes.end(), judgement.warnings.begin(), judgement.warnings.end());
    section.notes.push_back(
        "These figures were computed from the private rows without noise: no guarantee of the "
        "training covers this page.");
    return section;
}

}  // namespace

Report make_audit_report(const AuditFacts& facts, const ModelClaims& claims,
                         const std::vector<ExperimentResult>& results, const Judgement& judgement) {
    Report report;
    report.title = "Audit of " + facts.model_name + " on " + facts.data_name;
    report.created_utc = facts.created_utc;
    report.software = facts.software;
    report.summary = verdict_sentence(judgement);
    Subject subject;
    subject.id = "audit";
    subject.title = facts.model_name + " on " + facts.data_name;
    subject.verdict = "Plan " + facts.plan_name + ", " + counted(results.size(), "experiment") +
                      " in " + duration_text(facts.seconds) + ". Model file " + facts.model_file +
                      ", " + grouped(facts.parameters) + " parameters, digest " +
                      facts.model_digest.substr(0, 16) + ".";
    subject.highlights = highlights(claims, results, judgement);
    subject.sections.push_back(claims_section(claims, results, judgement));
    for (const ExperimentResult& result : results) {
        if (!result.robust.empty()) subject.sections.push_back(evasion_section(result));
        if (!result.curves.empty()) subject.sections.push_back(membership_section(result, claims));
        if (!result.epsilons.empty()) subject.sections.push_back(privacy_section(result));
        if (!result.copies.empty()) subject.sections.push_back(extraction_section(result));
        if (!result.inverted.empty()) subject.sections.push_back(inversion_section(result));
    }
    report.subjects.push_back(std::move(subject));
    report.commands = {facts.command};
    report.glossary = {
        "robust accuracy: share of examples that stay right whatever the attack tried",
        "AUC: probability that an attack scores a member above another example; 0.5 is guessing",
        "canary: a made-up example whose part in the training is known to the auditor",
        "fidelity: share of inputs on which a copy says what the model says, right or wrong",
        "gate: a condition for a release; it holds when the unfavourable end of the interval does"};
    return report;
}

}  // namespace ward::audit
