#include "ward/audit/audit_report.h"

#include <algorithm>
#include <cmath>

#include "ward/audit/internal/text.h"
#include "ward/audit/training_report.h"

namespace ward::audit {
namespace {

using Tone = Highlight::Tone;

constexpr size_t kCurvesShown = 2;   // the best ones; the table has all
constexpr double kLeastRate = 1e-4;  // left end of axes that count in powers of ten

std::string verdict_sentence(const Judgement& judgement) {
    if (!judgement.contradictions.empty())
        return "CONTRADICTED. " + judgement.contradictions.front();
    if (judgement.refuses()) return "NOT RELEASED. At least one gate does not hold.";
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

std::vector<Highlight> highlights(const ModelClaims& claims,
                                  const std::vector<ExperimentResult>& results,
                                  const Judgement& judgement) {
    std::vector<Highlight> list;
    const std::string counts = std::to_string(judgement.contradictions.size()) +
                               " contradictions, " + std::to_string(judgement.warnings.size()) +
                               " warnings";
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
                        result.spec.norm + " " + significant(point.epsilon) + ", " +
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
        list.push_back({"Membership AUC", significant(worst->auc, 3),
                        "best attack: " + worst->attack + "; 0.5 is guessing", Tone::kNeutral});
    }
    return list;
}

Section claims_section(const ModelClaims& claims, const std::vector<ExperimentResult>& results,
                       const Judgement& judgement) {
    Section section;
    section.id = "claims";
    section.title = "Claims against evidence";
    section.lead = verdict_sentence(judgement);
    Table gates{"Gates", {"gate", "found", "outcome"}, {}, 0};
    for (const GateResult& gate : judgement.gates) {
        gates.rows.push_back({gate.gate, gate.found,
                              gate.outcome == GateResult::Outcome::kHolds   ? "holds"
                              : gate.outcome == GateResult::Outcome::kFails ? "FAILS"
                                                                            : "NOT SHOWN"});
    }
    Table evidence{"Evidence for each claim", {"claim", "evidence", "agrees"}, {}, 0};
    if (claims.epsilon) {
        const std::string claim = "epsilon " + significant(*claims.epsilon) + " at delta " +
                                  small_probability(claims.delta);
        if (claims.accounted_again) {
            const bool agrees = *claims.accounted_again <= *claims.epsilon * (1 + 1e-6);
            evidence.rows.push_back(
                {claim,
                 "accounted again from the model's plan: " + significant(*claims.accounted_again),
                 agrees ? "yes" : "NO"});
        }
        if (const AuditedEpsilon* audited = audited_epsilon(results)) {
            evidence.rows.push_back({claim,
                                     "audit with " + grouped(audited->canaries) +
                                         " canaries: at least " + significant(audited->lower, 3) +
                                         ", by its curve " + significant(audited->curve_lower, 3),
                                     audited->contradicts ? "NO" : "yes"});
        }
    }
    if (!gates.rows.empty()) section.tables.push_back(gates);
    if (!evidence.rows.empty()) section.tables.push_back(evidence);
    section.notes_title = "Contradictions, warnings and limits";
    for (const std::string& text : judgement.contradictions)
        section.notes.push_back("CONTRADICTION: " + text);
    section.notes.insert(section.notes.end(), judgement.warnings.begin(), judgement.warnings.end());
    section.notes.push_back(
        "These figures were computed from the private rows without noise: no guarantee of the "
        "training covers this page.");
    return section;
}

// ---- experiments

Evidence evidence_of(const ExperimentResult& result, const std::string& claim,
                     const std::string& experiment) {
    Evidence evidence;
    evidence.id = "audit." + result.spec.id;
    evidence.claim = claim;
    evidence.experiment = experiment + " It took " + duration_text(result.seconds) + ".";
    evidence.rerun = result.rerun;
    return evidence;
}

Section evasion_section(const ExperimentResult& result) {
    Section section;
    section.id = result.spec.id;
    section.title = "Moved inputs: " + result.spec.attack + ", " + result.spec.norm;
    Evidence evidence = evidence_of(
        result,
        "Of the examples, " + percent(result.clean_accuracy) +
            " are right as they are; the figures say how many stay right when an attacker moves "
            "each input by at most epsilon.",
        "The attack " + result.spec.attack + " on " + grouped(result.spec.count) +
            " examples; what it hands back is checked in a pass of its own. A stronger attack may "
            "find more.");
    Series line{"robust accuracy", {0}, {result.clean_accuracy}};
    Series rounded{"rounded to 8 bits", {0}, {result.clean_accuracy}, true};
    for (const RobustPoint& point : result.robust) {
        evidence.figures.push_back({"robust accuracy at " + significant(point.epsilon),
                                    point.accuracy, point.interval, "%",
                                    percent(point.accuracy_8bit) + " when rounded to 8 bits"});
        line.x.push_back(point.epsilon);
        line.y.push_back(point.accuracy);
        rounded.x.push_back(point.epsilon);
        rounded.y.push_back(point.accuracy_8bit);
    }
    Chart chart;
    chart.title = "Robust accuracy against epsilon";
    chart.summary = "Accuracy falls from " + percent(result.clean_accuracy) + " to " +
                    percent(result.robust.back().accuracy) + " at epsilon " +
                    significant(result.robust.back().epsilon) + ".";
    chart.x_label = "epsilon (" + result.spec.norm + ")";
    chart.y_label = "accuracy";
    chart.y_percent = true;
    chart.series = {line, rounded};
    section.evidence.push_back(std::move(evidence));
    section.charts.push_back(std::move(chart));
    return section;
}

// Both axes in powers of ten: -3 is 0.1 %. Rates below the left end are left out.
Series in_powers_of_ten(const std::string& name, const std::vector<double>& x,
                        const std::vector<double>& y, bool dashed = false) {
    Series series{name, {}, {}, dashed, {}};
    for (size_t i = 0; i < x.size(); ++i) {
        if (x[i] < kLeastRate || y[i] < kLeastRate) continue;
        series.x.push_back(std::log10(x[i]));
        series.y.push_back(std::log10(y[i]));
    }
    return series;
}

std::vector<double> rates_in_powers_of_ten() {
    std::vector<double> rates;
    for (double power = -4; power < 0; power += 0.05) rates.push_back(std::pow(10, power));
    rates.push_back(1);
    return rates;
}

// The best curves by area, the line of guessing, and what the guarantee allows.
Chart roc_chart(const ExperimentResult& result, const ModelClaims& claims) {
    std::vector<const MembershipCurve*> order;
    for (const MembershipCurve& curve : result.curves) order.push_back(&curve);
    std::stable_sort(order.begin(), order.end(),
                     [](const auto* a, const auto* b) { return a->auc > b->auc; });
    Chart chart;
    chart.title = "ROC, both axes in powers of ten";
    chart.summary = "The left end shows what is found with few false alarms: -3 is 0.1 %.";
    chart.x_label = "false-positive rate, power of ten";
    chart.y_label = "true-positive rate, power of ten";
    for (size_t i = 0; i < std::min<size_t>(order.size(), kCurvesShown); ++i)
        chart.series.push_back(in_powers_of_ten(order[i]->attack, order[i]->x, order[i]->y));
    const std::vector<double> rates = rates_in_powers_of_ten();
    chart.series.push_back(in_powers_of_ten("guessing", rates, rates, true));
    if (claims.epsilon) {
        std::vector<double> most;
        for (const double rate : rates)
            most.push_back(attack_hit_rate_bound(*claims.epsilon, claims.delta, rate));
        chart.series.push_back(in_powers_of_ten(
            "most under epsilon " + significant(*claims.epsilon), rates, most, true));
    }
    return chart;
}

Section membership_section(const ExperimentResult& result, const ModelClaims& claims) {
    Section section;
    section.id = result.spec.id;
    section.title = "Who was in the training data";
    Evidence evidence = evidence_of(
        result,
        "How well attackers tell the " + grouped(result.members) + " members from " +
            grouped(result.others) + " others of the same kind.",
        "References: " + std::to_string(result.spec.shadows) +
            " models trained like this one on random halves of the examples. Intervals hold for "
            "this one model and treat examples as independent.");
    Table table{"Attacks", {"attack", "AUC", "95 %"}, {}, 0};
    for (const double rate : result.spec.false_positive_rates) {
        table.header.push_back("found at " + percent(rate, 1) + " false alarms");
        table.header.push_back("95 %");
    }
    table.number_columns = table.header.size() - 1;
    for (const MembershipCurve& curve : result.curves) {
        std::vector<std::string> row = {curve.attack, significant(curve.auc, 3),
                                        significant(curve.auc_interval.low, 3) + " to " +
                                            significant(curve.auc_interval.high, 3)};
        for (const RatePoint& rate : curve.rates) {
            // Too few others for this rate: all that is known is a bound.
            row.push_back(rate.resolved ? percent(rate.true_positive_rate, 2)
                                        : "at most " + percent(rate.at_wanted.high, 1));
            row.push_back(rate.resolved ? range_percent(rate.at_wanted) : "too few others");
        }
        table.rows.push_back(std::move(row));
        evidence.figures.push_back(
            {"AUC of " + curve.attack, curve.auc, curve.auc_interval, "", ""});
    }
    section.evidence.push_back(std::move(evidence));
    section.charts.push_back(roc_chart(result, claims));
    section.tables.push_back(std::move(table));
    return section;
}

Section privacy_section(const ExperimentResult& result) {
    Section section;
    section.id = result.spec.id;
    section.title = "The training, audited from inside";
    for (const AuditedEpsilon& audited : result.epsilons) {
        Evidence evidence = evidence_of(
            result,
            audited.contradicts
                ? "The training does NOT keep its guarantee."
                : "Nothing was found that contradicts the guarantee of the training.",
            "A training with the same settings, in which " + grouped(audited.canaries) +
                " made-up gradients took part or not by the toss of a coin; whoever sees all "
                "released gradients guesses which. Steinke, Nasr, Jagielski 2023; by its curve: "
                "Mahloujifar, Melis, Chaudhuri 2024.");
        evidence.figures = {{"epsilon, claimed",
                             audited.claimed,
                             {},
                             "",
                             "at delta " + small_probability(audited.delta)},
                            {"epsilon, at least",
                             audited.lower,
                             {},
                             "",
                             "95 %, assumes nothing about the training"},
                            {"epsilon, at least, by its curve",
                             audited.curve_lower,
                             {},
                             "",
                             "95 %, for Poisson-sampled Gaussian steps"},
                            {"guesses",
                             static_cast<double>(audited.guesses),
                             {},
                             "",
                             grouped(audited.correct) + " of them right"}};
        section.evidence.push_back(std::move(evidence));
    }
    Chart chart;
    chart.kind = Chart::Kind::kBar;
    chart.title = "Claimed and audited epsilon";
    chart.summary = "An audited lower bound above the claim would refute it.";
    chart.y_label = "epsilon";
    chart.categories = {"claimed", "at least", "at least, by its curve"};
    const AuditedEpsilon& first = result.epsilons.front();
    chart.series = {{"epsilon", {}, {first.claimed, first.lower, first.curve_lower}, false, {}}};
    section.charts.push_back(std::move(chart));
    return section;
}

}  // namespace

Report make_audit_report(const AuditFacts& facts, const ModelClaims& claims,
                         const std::vector<ExperimentResult>& results, const Judgement& judgement) {
    Report report;
    report.title = "Audit of " + facts.model_name;
    report.created_utc = facts.created_utc;
    report.software = facts.software;
    report.summary = verdict_sentence(judgement);
    Subject subject;
    subject.id = "audit";
    subject.title = facts.model_name + " on " + facts.data_name;
    subject.verdict = "Plan " + facts.plan_name + ", " + duration_text(facts.seconds) + ". " +
                      verdict_sentence(judgement);
    subject.highlights = highlights(claims, results, judgement);
    subject.sections.push_back(claims_section(claims, results, judgement));
    for (const ExperimentResult& result : results) {
        if (!result.robust.empty()) subject.sections.push_back(evasion_section(result));
        if (!result.curves.empty()) subject.sections.push_back(membership_section(result, claims));
        if (!result.epsilons.empty()) subject.sections.push_back(privacy_section(result));
    }
    report.subjects.push_back(std::move(subject));
    report.commands = {facts.command};
    report.glossary = {
        "robust accuracy: share of examples that stay right whatever the attack tried",
        "AUC: probability that an attack scores a member above another example; 0.5 is guessing",
        "canary: a made-up example whose part in the training is known to the auditor",
        "gate: a condition for a release; it holds when the unfavourable end of the interval does"};
    return report;
}

}  // namespace ward::audit
