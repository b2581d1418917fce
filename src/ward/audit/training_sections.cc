#include "ward/audit/internal/training_sections.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "ward/audit/internal/not_covered.h"
#include "ward/audit/internal/text.h"
#include "ward/audit/training_report.h"

namespace ward::audit {
namespace {

constexpr const char* kPrivate = "with privacy";
constexpr const char* kTwin = "non-private twin";

const char* run_name(const RunPair& pair) {
    return pair.run.privacy ? kPrivate : "without privacy";
}

const Evaluation* twin_evaluation(const RunPair& pair) {
    return pair.twin != nullptr && pair.twin->evaluation ? &*pair.twin->evaluation : nullptr;
}

// 17 digits: what `ward account` needs to come to the same figures.
std::string exact(double value) { return significant(value, 17); }

// ---- privacy

std::string recheck_text(const Recheck& recheck) {
    if (!recheck.possible) {
        return "The record holds no privacy plan, so epsilon was not computed again for this "
               "report.";
    }
    if (recheck.disagreements.empty())
        return "Epsilon was computed again from the recorded plan for this report, and agrees.";
    std::string text = "The figures of the record DO NOT FOLLOW from its own plan: ";
    for (size_t i = 0; i < recheck.disagreements.size(); ++i)
        text += (i == 0 ? "" : "; ") + recheck.disagreements[i];
    return text + ".";
}

Evidence privacy_evidence(const RunPair& pair) {
    const PrivacyFacts& privacy = *pair.run.privacy;
    Evidence evidence;
    evidence.id = pair.id + ".privacy";
    evidence.claim = "The training satisfies (" + epsilon_text(privacy.epsilon_upper) + ", " +
                     small_probability(privacy.delta) + ")-differential privacy for each " +
                     unit_text(pair.run) + " of the training data.";
    evidence.support = pair.recheck.disagreements.empty() ? Support::kProof : Support::kStatement;
    evidence.experiment =
        "The privacy losses of all " + grouped(privacy.steps) +
        " steps are added up for the mechanism that ran: sampler " + privacy.sampler +
        ", clipped sums, Gaussian noise. The upper bound (PLD) is the guarantee; the lower bound "
        "shows how much of it is accounting slack; RDP is the older, weaker method. The proof "
        "holds for the settings below, as the training recorded them. " +
        recheck_text(pair.recheck);
    evidence.figures = {
        {"epsilon, upper bound (PLD)", privacy.epsilon_upper, {}, "", "the guarantee"},
        {"epsilon, lower bound (PLD)", privacy.epsilon_lower, {}, "", ""},
        {"epsilon by RDP", privacy.rdp_epsilon, {}, "", "for comparison"},
        {"delta", privacy.delta, {}, "", ""}};
    if (pair.recheck.epsilon_upper) {
        evidence.figures.push_back({"epsilon, computed again for this report",
                                    *pair.recheck.epsilon_upper,
                                    {},
                                    "",
                                    pair.recheck.disagreements.empty() ? "agrees" : "DIFFERS"});
    }
    const dp::SampledGaussianPhase phase = pair.recheck.phase.value_or(
        dp::SampledGaussianPhase{privacy.sampling_rate, privacy.noise_multiplier, privacy.steps});
    evidence.rerun = "ward account --sampling-rate " + exact(phase.sampling_rate) +
                     " --noise-multiplier " + exact(phase.noise_multiplier) + " --steps " +
                     std::to_string(phase.steps) + " --delta " + exact(privacy.delta) + " --json";
    return evidence;
}

Table mechanism_table(const TrainingRecord& run) {
    const PrivacyFacts& privacy = *run.privacy;
    return {"How the training was protected",
            {"Setting", "Value"},
            {{"neighbouring data sets", privacy.adjacency},
             {"unit of privacy", unit_text(run)},
             {"sampler", privacy.sampler},
             {"sampling rate", significant(privacy.sampling_rate, 6)},
             {"steps", grouped(privacy.steps)},
             {"noise multiplier", significant(privacy.noise_multiplier, 6)},
             {"clipping", (privacy.clipping.empty() ? "" : privacy.clipping + ", ") + "norm " +
                              significant(privacy.clipping_norm, 6)}},
            0};
}

Table attack_table(const PrivacyFacts& privacy) {
    Table table{"What the guarantee leaves to an attacker",
                {"False alarms", "Members found, at most"},
                {},
                1};
    for (double rate : {0.001, 0.01, 0.1}) {
        const double bound = attack_hit_rate_bound(privacy.epsilon_upper, privacy.delta, rate);
        table.rows.push_back({percent(rate), percent_up(bound)});
    }
    return table;
}

std::optional<Chart> epsilon_chart(const RunPair& pair) {
    Series series{"epsilon spent so far", {}, {}, false, {}};
    for (const CurvePoint& point : pair.run.curve) {
        if (!point.epsilon) continue;
        series.x.push_back(static_cast<double>(point.step));
        series.y.push_back(*point.epsilon);
    }
    if (series.x.size() < 2) return std::nullopt;
    Chart chart;
    chart.title = "Privacy spent during training";
    chart.summary = "Epsilon grows from " + significant(series.y.front(), 3) + " at step " +
                    grouped(static_cast<int64_t>(series.x.front())) + " to " +
                    significant(series.y.back(), 3) + " at step " +
                    grouped(static_cast<int64_t>(series.x.back())) + ".";
    chart.x_label = "training step";
    chart.y_label = "epsilon";
    chart.series = {std::move(series)};
    return chart;
}

std::vector<std::string> not_covered(const RunPair& pair) {
    std::vector<std::string> notes = pair.run.privacy->not_covered;
    const auto add_once = [&](const char* note) {
        if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.emplace_back(note);
    };
    if (pair.run.data.bounds_read_from_data) add_once(kBoundsNotCovered);
    add_once(kTestNotCovered);
    add_once(kChoicesNotCovered);
    if (pair.twin != nullptr) {
        notes.push_back(
            "The non-private twin and its figures: it was trained without protection and must not "
            "be released.");
    }
    for (const std::string& warning : pair.run.privacy->warnings) notes.push_back(warning);
    return notes;
}

// ---- accuracy

Evidence accuracy_evidence(const RunPair& pair) {
    const Evaluation& evaluation = *pair.run.evaluation;
    Evidence evidence;
    evidence.id = pair.id + ".accuracy";
    evidence.claim =
        "The model classifies " + percent(evaluation.accuracy) + " of unseen examples correctly.";
    evidence.experiment = "Prediction of all " + grouped(evaluation.examples) +
                          " test examples, none of them used for training.";
    evidence.figures.push_back({"accuracy", evaluation.accuracy,
                                wilson_interval(evaluation.correct, evaluation.examples), "%", ""});
    evidence.figures.push_back({"share of the largest class",
                                majority_share(evaluation.confusion),
                                {},
                                "%",
                                "accuracy of always guessing it"});
    evidence.figures.push_back({"balanced accuracy",
                                balanced_accuracy(evaluation.confusion),
                                {},
                                "%",
                                "mean recall of the classes"});
    if (evaluation.auc)
        evidence.figures.push_back({"area under the ROC curve", *evaluation.auc, {}, "", ""});
    if (evaluation.log_loss)
        evidence.figures.push_back({"log loss", *evaluation.log_loss, {}, "", ""});
    evidence.rerun = pair.run.command;
    return evidence;
}

Evidence price_evidence(const RunPair& pair, const Evaluation& twin) {
    const Difference difference = difference_of(*pair.run.evaluation, twin);
    const bool unclear = difference.interval.low <= 0 && difference.interval.high >= 0;
    Evidence evidence;
    evidence.id = pair.id + ".price";
    evidence.claim = unclear ? "No difference in accuracy to the non-private twin could be shown."
                             : "Privacy changes the accuracy by " + points(difference.value) +
                                   " percentage points.";
    evidence.experiment =
        std::string(
            "The same model, trained on the same data without privacy, predicts the same "
            "test examples; ") +
        (difference.paired ? "compared example by example (paired interval)."
                           : "compared by their totals (unpaired interval).");
    evidence.figures = {{"accuracy of the twin", twin.accuracy,
                         wilson_interval(twin.correct, twin.examples), "%", ""},
                        {"difference", difference.value, difference.interval, "points", ""}};
    evidence.rerun = pair.twin->command;
    return evidence;
}

void add_accuracy_series(const TrainingRecord& run, const std::string& name, Chart& chart) {
    Series series{name, {}, {}, false, {}};
    for (const CurvePoint& point : run.curve) {
        if (!point.test_accuracy) continue;
        series.x.push_back(point.epoch);
        series.y.push_back(*point.test_accuracy);
    }
    if (series.x.size() >= 2) chart.series.push_back(std::move(series));
}

std::optional<Chart> learning_chart(const RunPair& pair) {
    Chart chart;
    chart.title = "Accuracy during training";
    chart.x_label = "passes over the training data";
    chart.y_label = "test accuracy";
    chart.y_percent = true;
    add_accuracy_series(pair.run, run_name(pair), chart);
    if (pair.twin != nullptr) add_accuracy_series(*pair.twin, kTwin, chart);
    if (chart.series.empty()) return std::nullopt;
    for (const Series& series : chart.series) {
        chart.summary += chart.summary.empty() ? "From first to last: " : "; ";
        chart.summary +=
            series.name + " " + percent(series.y.front()) + " to " + percent(series.y.back());
    }
    chart.summary += ".";
    return chart;
}

std::optional<Chart> trade_off_chart(const RunPair& pair) {
    Series series{"with privacy", {}, {}, false, {}};
    for (const CurvePoint& point : pair.run.curve) {
        if (!point.epsilon || !point.test_accuracy) continue;
        series.x.push_back(*point.epsilon);
        series.y.push_back(*point.test_accuracy);
    }
    if (series.x.size() < 2) return std::nullopt;
    Chart chart;
    chart.title = "What accuracy costs in privacy";
    chart.summary = "With epsilon " + significant(series.x.front(), 3) +
                    " spent the accuracy was " + percent(series.y.front()) + ", with " +
                    significant(series.x.back(), 3) + " it was " + percent(series.y.back()) + ".";
    chart.x_label = "epsilon spent";
    chart.y_label = "test accuracy";
    chart.y_percent = true;
    const double last = series.x.back();
    chart.series.push_back(std::move(series));
    if (const Evaluation* twin = twin_evaluation(pair)) {
        chart.series.push_back({kTwin, {0, last}, {twin->accuracy, twin->accuracy}, true, {}});
        chart.summary += " The non-private twin reaches " + percent(twin->accuracy) + ".";
    }
    return chart;
}

std::vector<std::string> class_names(const TrainingRecord& run) {
    std::vector<std::string> names = run.data.class_names;
    for (size_t i = names.size(); i < run.evaluation->confusion.size(); ++i) {
        names.push_back(std::to_string(i));
    }
    return names;
}

// Privacy can cost small classes more than large ones; this chart shows whether it did.
Chart recall_chart(const RunPair& pair) {
    Chart chart;
    chart.kind = Chart::Kind::kBar;
    chart.title = pair.twin == nullptr ? "Recall of each class" : "Who pays: recall of each class";
    chart.x_label = "class";
    chart.y_label = "examples of the class found";
    chart.y_percent = true;
    chart.categories = class_names(pair.run);
    const auto add = [&](const std::string& name, const Evaluation& evaluation) {
        Series series{name, {}, {}, false, {}};
        for (const ClassMetrics& metrics : per_class(evaluation.confusion)) {
            series.y.push_back(metrics.recall.value_or(0));
        }
        chart.series.push_back(std::move(series));
    };
    add(run_name(pair), *pair.run.evaluation);
    const std::vector<double>& recalls = chart.series.front().y;
    const auto worst = std::min_element(recalls.begin(), recalls.end());
    if (worst != recalls.end()) {
        chart.summary = "The class found least often is " +
                        chart.categories[static_cast<size_t>(worst - recalls.begin())] + " with " +
                        percent(*worst) + ".";
    }
    const Evaluation* twin = twin_evaluation(pair);
    if (twin != nullptr && twin->confusion.size() == pair.run.evaluation->confusion.size()) {
        add(kTwin, *twin);
    }
    return chart;
}

std::string optional_percent(const std::optional<double>& value) {
    return value ? percent(*value) : "none";
}

Table class_table(const TrainingRecord& run) {
    Table table{
        "Each class", {"Class", "Test examples", "Recall", "95 % interval", "Precision"}, {}, 4};
    const std::vector<std::string> names = class_names(run);
    const std::vector<ClassMetrics> metrics = per_class(run.evaluation->confusion);
    for (size_t c = 0; c < metrics.size(); ++c) {
        const int64_t hits = run.evaluation->confusion[c][c];
        table.rows.push_back({names[c], grouped(metrics[c].examples),
                              optional_percent(metrics[c].recall),
                              range_percent(wilson_interval(hits, metrics[c].examples)),
                              optional_percent(metrics[c].precision)});
    }
    return table;
}

// ---- calibration

void add_reliability(const Evaluation& evaluation, const std::string& name, Chart& chart) {
    Series series{name, {}, {}, false, {}};
    for (const ReliabilityBin& bin : evaluation.reliability) {
        if (bin.examples == 0) continue;
        series.x.push_back(bin.mean_confidence);
        series.y.push_back(bin.accuracy);
        series.weights.push_back(static_cast<double>(bin.examples));
    }
    chart.series.push_back(std::move(series));
}

Table reliability_table(const Evaluation& evaluation) {
    Table table{"Reliability", {"Confidence", "Examples", "Mean confidence", "Right"}, {}, 3};
    for (const ReliabilityBin& bin : evaluation.reliability) {
        if (bin.examples == 0) continue;
        table.rows.push_back({range_percent({bin.low, bin.high}), grouped(bin.examples),
                              percent(bin.mean_confidence), percent(bin.accuracy)});
    }
    return table;
}

// ---- facts

Table run_table(const RunPair& pair) {
    Table table{"Training runs", {"", run_name(pair)}, {}, 0};
    if (pair.twin != nullptr) table.header.emplace_back(kTwin);
    const auto add = [&](const std::string& name, const auto& value_of) {
        std::vector<std::string> row = {name, value_of(pair.run)};
        if (pair.twin != nullptr) row.push_back(value_of(*pair.twin));
        table.rows.push_back(std::move(row));
    };
    using Record = TrainingRecord;
    add("model file", [](const Record& r) { return r.model.file; });
    add("model digest (SHA-256)", [](const Record& r) { return r.model.digest; });
    add("parameters", [](const Record& r) { return grouped(r.model.parameters); });
    add("training examples", [](const Record& r) { return grouped(r.data.train_examples); });
    add("test examples", [](const Record& r) { return grouped(r.data.test_examples); });
    add("training time", [](const Record& r) { return duration_text(r.resources.seconds); });
    add("peak memory", [](const Record& r) { return memory_text(r.resources.peak_memory_bytes); });
    add("device", [](const Record& r) { return r.resources.device + ", " + r.resources.cpu; });
    add("threads", [](const Record& r) { return grouped(r.resources.threads); });
    add("precision", [](const Record& r) { return r.resources.precision; });
    add("software", [](const Record& r) { return r.software; });
    add("finished (UTC)", [](const Record& r) { return r.created_utc; });
    return table;
}

}  // namespace

std::string unit_text(const TrainingRecord& run) {
    const PrivacyFacts& privacy = *run.privacy;
    if (privacy.unit == "group")
        return "group of at most " + grouped(privacy.max_contributions) + " rows";
    return privacy.unit == "example" && run.data.grouped ? "row" : privacy.unit;
}

std::string epsilon_text(double epsilon) {
    if (!(epsilon > 0) || epsilon >= 1e6) return significant(epsilon, 3);
    // Three significant digits, at least two decimals below 10, rounded up.
    const double decimals = epsilon < 1     ? 2 - std::floor(std::log10(epsilon))
                            : epsilon < 100 ? 2
                                            : 1;
    const double scale = std::pow(10.0, decimals);
    return significant(std::ceil(epsilon * scale * (1 - 1e-12)) / scale, 9);
}

std::string percent_up(double fraction) {
    const double rounded = std::ceil(fraction * 1000 * (1 - 1e-12)) / 1000;
    // 99.96 % must not read as certainty where some doubt is guaranteed.
    if (rounded >= 1 && fraction < 1) return percent(std::ceil(fraction * 1e6) / 1e6, 4);
    return percent(rounded);
}

Difference difference_of(const Evaluation& run, const Evaluation& twin) {
    if (!run.right.empty() && run.right.size() == twin.right.size()) {
        return paired_difference(run.right, twin.right);
    }
    return independent_difference(run.correct, run.examples, twin.correct, twin.examples);
}

Section privacy_section(const RunPair& pair) {
    const PrivacyFacts& privacy = *pair.run.privacy;
    Section section;
    section.id = "privacy";
    section.title = "Privacy guarantee";
    section.lead = privacy.statement;
    section.evidence = {privacy_evidence(pair)};
    section.tables = {attack_table(privacy), mechanism_table(pair.run)};
    if (auto chart = epsilon_chart(pair)) section.charts.push_back(std::move(*chart));
    section.notes_title = "What the guarantee does not cover";
    section.notes = not_covered(pair);
    return section;
}

Section accuracy_section(const RunPair& pair) {
    Section section;
    section.id = "accuracy";
    section.title = pair.twin != nullptr ? "Accuracy, and what privacy costs" : "Accuracy";
    section.evidence = {accuracy_evidence(pair)};
    if (const Evaluation* twin = twin_evaluation(pair)) {
        section.evidence.push_back(price_evidence(pair, *twin));
    }
    if (auto chart = trade_off_chart(pair)) section.charts.push_back(std::move(*chart));
    if (auto chart = learning_chart(pair)) section.charts.push_back(std::move(*chart));
    section.charts.push_back(recall_chart(pair));
    section.confusions.push_back({std::string("Confusion matrix, ") + run_name(pair),
                                  class_names(pair.run), pair.run.evaluation->confusion});
    if (const Evaluation* twin = twin_evaluation(pair)) {
        section.confusions.push_back(
            {std::string("Confusion matrix, ") + kTwin, class_names(*pair.twin), twin->confusion});
    }
    section.tables = {class_table(pair.run)};
    return section;
}

Section calibration_section(const RunPair& pair) {
    const Evaluation& evaluation = *pair.run.evaluation;
    Section section;
    section.id = "calibration";
    section.title = "Calibration";
    section.lead =
        "When the model says it is 90 % sure, it should be right nine times out of ten. Points "
        "below the diagonal mean that it is too sure of itself; larger points stand for more "
        "examples.";
    Chart chart;
    chart.kind = Chart::Kind::kScatter;
    chart.title = "Reliability diagram";
    chart.x_label = "mean confidence";
    chart.y_label = "share that is right";
    chart.x_percent = chart.y_percent = chart.unit_square = true;
    add_reliability(evaluation, run_name(pair), chart);
    const Evaluation* twin = twin_evaluation(pair);
    if (twin != nullptr && !twin->reliability.empty()) add_reliability(*twin, kTwin, chart);
    chart.series.push_back({"perfect calibration", {0, 1}, {0, 1}, true, {}});
    Evidence evidence;
    evidence.id = pair.id + ".calibration";
    evidence.experiment =
        "Test examples sorted into 15 bins by the model's confidence; its share of right answers "
        "in each bin is compared with that confidence.";
    if (evaluation.calibration_error) {
        evidence.claim = "The model's confidence differs from its share of right answers by " +
                         points(*evaluation.calibration_error).substr(1) +
                         " percentage points on average.";
        evidence.figures.push_back(
            {"expected calibration error", *evaluation.calibration_error, {}, "%", ""});
        if (twin != nullptr && twin->calibration_error) {
            evidence.figures.push_back({"of the twin", *twin->calibration_error, {}, "%", ""});
        }
        chart.summary = evidence.claim;
        evidence.rerun = pair.run.command;
        section.evidence.push_back(std::move(evidence));
    }
    section.charts.push_back(std::move(chart));
    section.tables = {reliability_table(evaluation)};
    return section;
}

Section facts_section(const RunPair& pair) {
    Section section;
    section.id = "facts";
    section.title = "Data, model and machine";
    const DataFacts& data = pair.run.data;
    section.tables.push_back({"Data",
                              {"", ""},
                              {{"name", data.name},
                               {"digest (HMAC-SHA256, key kept by who trained)", data.digest},
                               {"training examples", grouped(data.train_examples)},
                               {"test examples", grouped(data.test_examples)},
                               {"classes", grouped(static_cast<int64_t>(data.class_names.size()))}},
                              0});
    section.tables.push_back(run_table(pair));
    return section;
}

}  // namespace ward::audit
