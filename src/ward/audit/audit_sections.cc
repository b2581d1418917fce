#include "ward/audit/internal/audit_sections.h"

#include <algorithm>
#include <cmath>

#include "ward/audit/internal/text.h"
#include "ward/audit/training_report.h"

namespace ward::audit {
namespace {

constexpr size_t kCurvesShown = 3;       // the best ones; the table has all
constexpr double kLeastRate = 1e-4;      // where logarithmic axes begin at the latest
constexpr double kMostLeastRate = 1e-2;  // and at the earliest
constexpr size_t kMostTradeOffPoints = 200;

Evidence evidence_of(const ExperimentResult& result, const std::string& claim,
                     const std::string& experiment) {
    Evidence evidence;
    evidence.id = "audit." + result.spec.id;
    evidence.claim = claim;
    evidence.experiment = experiment + " It took " + duration_text(result.seconds) + ".";
    evidence.rerun = result.rerun;
    return evidence;
}

std::string with_interval(double value, const Interval& interval, int decimals) {
    return fixed(value, decimals) + " (" + fixed(interval.low, decimals) + " to " +
           fixed(interval.high, decimals) + ")";
}

// ---- membership

// The largest power of ten that the others can resolve.
double least_rate(const ExperimentResult& result) {
    const double finest = 1.0 / static_cast<double>(std::max<int64_t>(1, result.others));
    return std::clamp(std::pow(10.0, std::floor(std::log10(finest) + 1e-9)), kLeastRate,
                      kMostLeastRate);
}

// What can be drawn on logarithmic axes: the curve begins at the left edge with what was found
// before it, and points without a hit are left out.
Series on_log_axes(const std::string& name, const std::vector<double>& x,
                   const std::vector<double>& y, double least, bool dashed = false) {
    Series series{name, {}, {}, dashed, {}, {}, {}, false};
    for (size_t i = 0; i < x.size(); ++i) {
        if (y[i] <= 0) continue;
        const double at = std::max(x[i], least);
        if (!series.x.empty() && series.x.back() == at) {
            series.y.back() = std::max(series.y.back(), y[i]);
        } else {
            series.x.push_back(at);
            series.y.push_back(y[i]);
        }
    }
    return series;
}

std::vector<double> rates_from(double least) {
    std::vector<double> rates;
    for (double power = std::log10(least); power < -1e-9; power += 0.05)
        rates.push_back(std::pow(10, power));
    rates.push_back(1);
    return rates;
}

std::vector<const MembershipCurve*> best_first(const ExperimentResult& result) {
    std::vector<const MembershipCurve*> order;
    for (const MembershipCurve& curve : result.curves) order.push_back(&curve);
    std::stable_sort(order.begin(), order.end(),
                     [](const auto* a, const auto* b) { return a->auc > b->auc; });
    return order;
}

// The best curves by area, the line of guessing, and what the guarantee allows.
Chart roc_chart(const ExperimentResult& result, const ModelClaims& claims) {
    const std::vector<const MembershipCurve*> order = best_first(result);
    const double least = least_rate(result);
    Chart chart;
    chart.title = "Members found against false alarms";
    chart.summary =
        "ROC, both axes logarithmic: the left end shows what is found with few false "
        "alarms. The best of " +
        std::to_string(result.curves.size()) +
        " attacks by area; no curve may lie above what the guarantee allows.";
    chart.x_label = "false alarms: share of the others taken for members";
    chart.y_label = "members found";
    chart.x_log = chart.y_log = chart.x_percent = chart.y_percent = true;
    chart.x_least = chart.y_least = least;
    for (size_t i = 0; i < std::min(order.size(), kCurvesShown); ++i)
        chart.series.push_back(on_log_axes(order[i]->attack, order[i]->x, order[i]->y, least));
    const std::vector<double> rates = rates_from(least);
    chart.series.push_back(on_log_axes("guessing", rates, rates, least, true));
    if (claims.epsilon) {
        std::vector<double> most;
        for (const double rate : rates)
            most.push_back(attack_hit_rate_bound(*claims.epsilon, claims.delta, rate));
        chart.series.push_back(on_log_axes("most under epsilon " + significant(*claims.epsilon),
                                           rates, most, least, true));
    }
    return chart;
}

std::string found_text(const RatePoint& rate) {
    // Too few others for this rate: all that is known is a bound.
    if (!rate.resolved) return "at most " + percent(rate.at_wanted.high, 1) + ", too few others";
    return percent(rate.true_positive_rate, 1) + " (" + range_percent(rate.at_wanted) + ")";
}

Table attack_table(const ExperimentResult& result) {
    Table table;
    table.title = "All attacks, best first, with 95 % intervals";
    table.header = {"attack", "AUC"};
    for (const double rate : result.spec.false_positive_rates)
        table.header.push_back("members found at " + percent(rate, 1) + " false alarms");
    table.number_columns = table.header.size() - 1;
    table.wide = true;
    for (const MembershipCurve* curve : best_first(result)) {
        std::vector<std::string> row = {curve->attack,
                                        with_interval(curve->auc, curve->auc_interval, 3)};
        for (const RatePoint& rate : curve->rates) row.push_back(found_text(rate));
        table.rows.push_back(std::move(row));
    }
    return table;
}

// The most that any attack found at each rate, for who reads nothing else.
void add_rate_figures(const ExperimentResult& result, Evidence& evidence) {
    for (size_t i = 0; i < result.spec.false_positive_rates.size(); ++i) {
        const MembershipCurve* best = nullptr;
        for (const MembershipCurve& curve : result.curves) {
            if (i >= curve.rates.size() || !curve.rates[i].resolved) continue;
            if (best == nullptr ||
                curve.rates[i].true_positive_rate > best->rates[i].true_positive_rate)
                best = &curve;
        }
        if (best == nullptr) continue;
        const RatePoint& rate = best->rates[i];
        evidence.figures.push_back(
            {"found at " + percent(rate.false_positive_rate, 1) + " false alarms",
             rate.true_positive_rate, rate.at_wanted, "%", best->attack});
    }
}

// ---- trade-off

Series reversed(std::string name, const std::vector<double>& x, const std::vector<double>& y,
                bool dashed) {
    Series series{std::move(name), {}, {}, dashed, {}, {}, {}, false};
    const size_t stride = x.size() / kMostTradeOffPoints + 1;
    for (size_t i = 0; i < x.size(); ++i) {
        if (i % stride != 0 && i + 1 != x.size()) continue;
        series.x.push_back(x[i]);
        series.y.push_back(1 - y[i]);
    }
    return series;
}

// Where a membership attack is: at the rates asked for, with the interval of what it misses, and
// where it tells members apart best.
Series attack_points(const MembershipCurve& curve) {
    Series series{curve.attack, {}, {}, false, {}, {}, {}, true};
    for (const RatePoint& rate : curve.rates) {
        if (!rate.resolved) continue;
        series.x.push_back(rate.false_positive_rate);
        series.y.push_back(1 - rate.true_positive_rate);
    }
    size_t best = 0;
    for (size_t i = 0; i < curve.x.size(); ++i)
        if (curve.y[i] - curve.x[i] > curve.y[best] - curve.x[best]) best = i;
    if (!curve.x.empty()) {
        series.x.push_back(curve.x[best]);
        series.y.push_back(1 - curve.y[best]);
    }
    return series;
}

Series line_of_claim(const ModelClaims& claims) {
    std::vector<double> x, y;
    for (int i = 0; i <= 100; ++i) {
        x.push_back(i / 100.0);
        y.push_back(attack_hit_rate_bound(*claims.epsilon, claims.delta, x.back()));
    }
    return reversed("least under epsilon " + significant(*claims.epsilon), x, y, true);
}

}  // namespace

std::string norm_text(const std::string& norm) {
    if (norm == "linf") return "L\u221e";
    return norm == "l2" ? "L2" : norm == "l1" ? "L1" : norm;
}

Section evasion_section(const ExperimentResult& result) {
    Section section;
    section.id = result.spec.id;
    section.title = "Moved inputs: " + result.spec.attack + ", " + norm_text(result.spec.norm);
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
    line.low = line.high = {NAN};  // the first point is no result of an attack
    for (const RobustPoint& point : result.robust) {
        evidence.figures.push_back({"right at epsilon " + significant(point.epsilon),
                                    point.accuracy, point.interval, "%",
                                    percent(point.accuracy_8bit) + " when rounded to 8 bits"});
        line.x.push_back(point.epsilon);
        line.y.push_back(point.accuracy);
        line.low.push_back(point.interval.low);
        line.high.push_back(point.interval.high);
        rounded.x.push_back(point.epsilon);
        rounded.y.push_back(point.accuracy_8bit);
    }
    Chart chart;
    chart.title = "Robust accuracy against epsilon";
    chart.summary = "Accuracy falls from " + percent(result.clean_accuracy) + " to " +
                    percent(result.robust.back().accuracy) + " at epsilon " +
                    significant(result.robust.back().epsilon) +
                    ". The band is the 95 % interval; epsilon is in the units of the data.";
    chart.x_label = "epsilon (" + norm_text(result.spec.norm) + ")";
    chart.y_label = "examples still right";
    chart.y_percent = true;
    chart.series = {line, rounded};
    section.evidence.push_back(std::move(evidence));
    section.charts.push_back(std::move(chart));
    return section;
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
    const MembershipCurve* best = best_first(result).front();
    evidence.figures.push_back({"highest AUC", best->auc, best->auc_interval, "", best->attack});
    add_rate_figures(result, evidence);
    section.evidence.push_back(std::move(evidence));
    section.charts.push_back(roc_chart(result, claims));
    section.tables.push_back(attack_table(result));
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
    chart.series = {{"epsilon", {}, {first.claimed, first.lower, first.curve_lower}}};
    section.charts.push_back(std::move(chart));
    return section;
}

Section extraction_section(const ExperimentResult& result) {
    Section section;
    section.id = result.spec.id;
    section.title = "A copy from answers: " + result.spec.attack;
    const CopyPoint& last = result.copies.back();
    Evidence evidence = evidence_of(
        result,
        "Who may ask for predictions gets a copy that says what the model says on " +
            percent(last.fidelity) + " of the inputs, after " + grouped(last.queries) + " queries.",
        "Networks trained from nothing on the " + result.spec.answer +
            " that the model answers for its own training inputs, and compared with it on the "
            "test part. An attacker with other inputs needs more; a better attack fewer.");
    evidence.figures = {{"fidelity of the copy", last.fidelity, last.interval, "%", ""},
                        {"fidelity of saying one class", result.constant_fidelity, {}, "%", ""},
                        {"accuracy of the copy", last.accuracy, {}, "%", ""},
                        {"accuracy of the model", result.clean_accuracy, {}, "%", ""}};
    Series fidelity{"fidelity", {}, {}}, accuracy{"accuracy of the copy", {}, {}};
    Series model{"accuracy of the model", {}, {}, true};
    Series constant{"fidelity of saying one class", {}, {}, true};
    for (const CopyPoint& copy : result.copies) {
        const auto x = static_cast<double>(copy.queries);
        for (Series* series : {&fidelity, &accuracy, &model, &constant}) series->x.push_back(x);
        fidelity.y.push_back(copy.fidelity);
        fidelity.low.push_back(copy.interval.low);
        fidelity.high.push_back(copy.interval.high);
        accuracy.y.push_back(copy.accuracy);
        model.y.push_back(result.clean_accuracy);
        constant.y.push_back(result.constant_fidelity);
    }
    Chart chart;
    chart.title = "What a copy costs in queries";
    chart.summary =
        "A fresh copy is trained at each budget. The band is the 95 % interval of the "
        "fidelity.";
    chart.x_label = "queries (logarithmic)";
    chart.y_label = "share of the test inputs";
    chart.x_log = chart.y_percent = true;
    chart.series = {fidelity, accuracy, model, constant};
    section.evidence.push_back(std::move(evidence));
    section.charts.push_back(std::move(chart));
    return section;
}

int64_t recognised(const ExperimentResult& result) {
    return std::count_if(result.inverted.begin(), result.inverted.end(),
                         [](const InvertedClass& one) { return one.judged == one.name; });
}

Section inversion_section(const ExperimentResult& result) {
    Section section;
    section.id = result.spec.id;
    section.title = "Classes from the model alone: " + result.spec.attack;
    const auto classes = std::ssize(result.inverted);
    const int64_t right = recognised(result);
    Evidence evidence = evidence_of(
        result,
        "In " + std::to_string(right) + " of " + std::to_string(classes) +
            " pictures made from the model alone an independent network sees the class that they "
            "were made for.",
        "The judge is " + result.judge + ", right on " + percent(result.judge_accuracy) +
            " of the model's training part. What comes back is typical of a class: a leak of a "
            "person only where a class is one.");
    evidence.figures = {{"classes recognised",
                         static_cast<double>(right) / static_cast<double>(classes),
                         wilson_interval(right, classes), "%", ""}};
    Gallery gallery;
    gallery.title = "What came back, beside the mean of the class";
    gallery.lead = "The means are made of private examples.";
    gallery.columns = {"mean of the class", "from the model"};
    for (const InvertedClass& one : result.inverted) {
        Picture mean = one.mean, found = one.found;
        found.caption = "seen as " + one.judged + "; SSIM " + fixed(one.ssim, 2) + ", PSNR " +
                        fixed(one.psnr, 1) + " dB";
        gallery.rows.push_back({"class " + one.name, {std::move(mean), std::move(found)}});
    }
    section.evidence.push_back(std::move(evidence));
    section.galleries.push_back(std::move(gallery));
    return section;
}

Chart trade_off_chart(const ModelClaims& claims, const std::vector<ExperimentResult>& results) {
    Chart chart;
    const AuditedEpsilon* audited = nullptr;
    const ExperimentResult* membership = nullptr;
    for (const ExperimentResult& result : results) {
        if (!result.epsilons.empty() && audited == nullptr) audited = &result.epsilons.front();
        if (!result.curves.empty() && membership == nullptr) membership = &result;
    }
    if (audited == nullptr && membership == nullptr) return chart;
    chart.title = "What the guarantee allows, and where the attacks are";
    chart.summary =
        "Each attacker pays for few false alarms with members missed. Without a guarantee all is "
        "possible down to the corner; under it, nothing below the line of the claim. Membership "
        "attacks see the model alone, at the rates asked for and where they tell most apart; the "
        "canaries' auditor sees every step.";
    chart.x_label = "false alarms";
    chart.y_label = "members missed";
    chart.x_percent = chart.y_percent = chart.unit_square = true;
    if (audited != nullptr && !audited->curve_x.empty())
        chart.series.push_back(reversed("least under the training's own curve", audited->curve_x,
                                        audited->curve_y, false));
    if (audited != nullptr && !audited->guess_x.empty())
        chart.series.push_back(
            reversed("canaries, seen from inside", audited->guess_x, audited->guess_y, false));
    if (membership != nullptr) {
        const std::vector<const MembershipCurve*> order = best_first(*membership);
        for (size_t i = 0; i < std::min(order.size(), kCurvesShown); ++i)
            chart.series.push_back(attack_points(*order[i]));
    }
    chart.series.push_back({"guessing", {0, 1}, {1, 0}, true});
    if (claims.epsilon) chart.series.push_back(line_of_claim(claims));
    return chart;
}

}  // namespace ward::audit
