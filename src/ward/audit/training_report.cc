#include "ward/audit/training_report.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "ward/audit/internal/text.h"
#include "ward/audit/internal/training_sections.h"
#include "ward/core/error.h"

namespace ward::audit {
namespace {

// "Wine quality (red)" + "cnn" -> "wine-quality-red-cnn".
std::string slug(const std::string& text) {
    std::string out;
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80 && std::isalnum(byte) != 0) {
            out += static_cast<char>(std::tolower(byte));
        } else if (!out.empty() && out.back() != '-') {
            out += '-';
        }
        if (out.size() >= 60) break;
    }
    while (!out.empty() && out.back() == '-') out.pop_back();
    return out.empty() ? "model" : out;
}

using PairKey = std::pair<std::string, std::string>;

PairKey key_of(const TrainingRecord& record) { return {record.data.digest, record.model.name}; }

std::map<PairKey, const TrainingRecord*> twins_of(const std::vector<TrainingRecord>& records) {
    std::map<PairKey, const TrainingRecord*> twins;
    for (const TrainingRecord& record : records) {
        if (record.privacy || twins.emplace(key_of(record), &record).second) continue;
        throw Error(ErrorCode::kInvalid,
                    "two non-private records of " + record.model.name + " on " + record.data.name,
                    "give one non-private twin for each model and data set");
    }
    return twins;
}

// ---- the sentence and the figures at the top

std::string tier(double epsilon) {
    if (epsilon <= 1) return "strong formal protection";
    return epsilon <= 10 ? "reasonable formal protection" : "weak formal protection";
}

// Rows are protected where persons have several: the reader must not take one for the other.
bool persons_are_unprotected(const TrainingRecord& record) {
    return record.privacy && record.data.grouped && record.privacy->unit != "group";
}

Highlight guarantee_highlight(const TrainingRecord& record) {
    const PrivacyFacts& privacy = *record.privacy;
    Highlight highlight;
    highlight.label = "Guarantee";
    highlight.value = "\u03b5 \u2264 " + epsilon_text(privacy.epsilon_upper);
    highlight.detail = "\u03b4 = " + small_probability(privacy.delta) + ", " +
                       tier(privacy.epsilon_upper) + " of each " + unit_text(record);
    if (persons_are_unprotected(record)) highlight.detail += "; not of a person with several rows";
    highlight.tone = privacy.epsilon_upper <= 1    ? Highlight::Tone::kGood
                     : privacy.epsilon_upper <= 10 ? Highlight::Tone::kNeutral
                                                   : Highlight::Tone::kBad;
    if (persons_are_unprotected(record) && highlight.tone != Highlight::Tone::kBad)
        highlight.tone = Highlight::Tone::kCaution;
    return highlight;
}

// Shown only where the record contradicts itself.
Highlight recheck_highlight(const Recheck& recheck) {
    Highlight highlight;
    highlight.label = "Computed again";
    highlight.value = recheck.epsilon_upper
                          ? "\u03b5 \u2264 " + epsilon_text(*recheck.epsilon_upper)
                          : "not possible";
    highlight.detail =
        "the record does not follow from its own plan: " + recheck.disagreements.front();
    highlight.tone = Highlight::Tone::kBad;
    return highlight;
}

Highlight attack_highlight(const TrainingRecord& record) {
    const PrivacyFacts& privacy = *record.privacy;
    const double bound = attack_accuracy_bound(privacy.epsilon_upper, privacy.delta);
    return {"Best possible attack", "\u2264 " + percent_up(bound),
            "of guesses whether one " + unit_text(record) +
                " was used can be right; 50 % is a coin toss",
            Highlight::Tone::kNeutral};
}

Highlight accuracy_highlight(const Evaluation& evaluation) {
    const Interval interval = wilson_interval(evaluation.correct, evaluation.examples);
    const double base = majority_share(evaluation.confusion);
    Highlight highlight;
    highlight.label = "Test accuracy";
    highlight.value = percent(evaluation.accuracy);
    highlight.detail = range_percent(interval) + " on " + grouped(evaluation.examples) +
                       " test examples; always guessing the largest class: " + percent(base);
    // Not shown to be better than a guess that looks at nothing.
    if (interval.low <= base) highlight.tone = Highlight::Tone::kCaution;
    return highlight;
}

Highlight price_highlight(const Difference& difference, const Evaluation& twin) {
    Highlight highlight;
    highlight.label = "Price of privacy";
    highlight.value = points(difference.value) + " points";
    highlight.detail = range_points(difference.interval) + " against the non-private twin's " +
                       percent(twin.accuracy);
    if (difference.interval.high < -0.05) highlight.tone = Highlight::Tone::kCaution;
    return highlight;
}

std::string verdict_of(const TrainingRecord& record, const TrainingRecord* twin) {
    std::string text = "The model " + record.model.name + " (" + grouped(record.model.parameters) +
                       " parameters) was trained on " + grouped(record.data.train_examples) +
                       " examples of " + record.data.name;
    if (record.privacy) {
        const PrivacyFacts& privacy = *record.privacy;
        text +=
            " with differential privacy. For whoever holds it and knows everything but whether "
            "one " +
            unit_text(record) +
            " was used, to whom that is a coin toss (50 %) beforehand, no guess "
            "can be right more often than " +
            percent_up(attack_accuracy_bound(privacy.epsilon_upper, privacy.delta)) + ".";
        if (persons_are_unprotected(record)) {
            text +=
                " Persons can have several rows here: for a person with k rows epsilon is "
                "k times as large, and delta grows.";
        }
    } else {
        text += " without a privacy guarantee: it may reveal examples that it was trained on.";
    }
    if (!record.evaluation) return text;
    text += " It classifies " + percent(record.evaluation->accuracy) + " of " +
            grouped(record.evaluation->examples) +
            " test examples correctly (always guessing the "
            "largest class: " +
            percent(majority_share(record.evaluation->confusion)) + ")";
    if (twin != nullptr && twin->evaluation) {
        text += "; the same model without privacy reaches " + percent(twin->evaluation->accuracy);
    }
    return text + ".";
}

Subject make_subject(const TrainingRecord& record, const TrainingRecord* twin,
                     const Recheck& recheck) {
    Subject subject;
    subject.title = record.model.name + " on " + record.data.name;
    subject.verdict = verdict_of(record, twin);
    if (record.privacy) {
        subject.highlights.push_back(guarantee_highlight(record));
        if (!recheck.disagreements.empty()) {
            subject.highlights.push_back(recheck_highlight(recheck));
            subject.verdict =
                "Do not rely on this record: its figures do not follow from its own privacy "
                "plan. " +
                subject.verdict;
        }
        subject.highlights.push_back(attack_highlight(record));
    } else {
        subject.highlights.push_back({"Guarantee", "none",
                                      "trained without differential privacy; do not release where "
                                      "the training data are personal",
                                      Highlight::Tone::kBad});
    }
    if (record.evaluation) {
        subject.highlights.push_back(accuracy_highlight(*record.evaluation));
        if (twin != nullptr && twin->evaluation) {
            subject.highlights.push_back(price_highlight(
                difference_of(*record.evaluation, *twin->evaluation), *twin->evaluation));
        }
    }
    return subject;
}

void add_sections(Subject& subject, const TrainingRecord& record, const TrainingRecord* twin,
                  const Recheck& recheck) {
    const RunPair pair = {record, twin, subject.id, recheck};
    if (record.privacy) subject.sections.push_back(privacy_section(pair));
    if (record.evaluation) {
        subject.sections.push_back(accuracy_section(pair));
        if (!record.evaluation->reliability.empty()) {
            subject.sections.push_back(calibration_section(pair));
        }
    }
    subject.sections.push_back(facts_section(pair));
}

std::vector<std::string> glossary() {
    return {
        "Differential privacy: a property of the training, proven for every possible attacker and "
        "data set: the trained model comes out almost equally likely with or without any one unit "
        "of the data.",
        "Epsilon (\u03b5): how far \u201calmost\u201d goes; the odds for any conclusion change at "
        "most by the factor e^\u03b5. Smaller is more private. A common reading (Ponomareva et al. "
        "2023): up to 1 strong, up to 10 reasonable, above 10 weak formal protection.",
        "Delta (\u03b4): a small probability that comes on top: an outcome may become e^\u03b5 "
        "times as "
        "likely, plus \u03b4. It must be far below one divided by the number of examples, because "
        "a "
        "\u03b4 of that size would allow publishing a whole example.",
        "PLD and RDP: two ways to add up the privacy loss of all training steps. PLD (privacy loss "
        "distributions) is the tighter one and gives the guarantee, with a certified upper and "
        "lower "
        "bound; RDP (Renyi differential privacy) is older and weaker, and shown because published "
        "figures often use it.",
        "Non-private twin: the same model trained on the same data without protection. It exists "
        "to "
        "measure the price of privacy and must not be released.",
        "95 % confidence interval: where the true figure lies, as far as the number of test "
        "examples "
        "allows to say. Proportions by Wilson's score interval, differences by Newcombe's.",
        "Calibration: whether the model is right as often as it claims to be sure. The expected "
        "calibration error is the mean gap between the two."};
}

std::string summary_of(size_t models, size_t private_models) {
    const auto how_many = [](size_t count) {
        return count == 1 ? std::string("one") : grouped(static_cast<int64_t>(count));
    };
    std::string text = models == 1 ? "One model" : how_many(models) + " models";
    if (private_models == 0) {
        text += ", trained without a privacy guarantee.";
    } else if (private_models == models) {
        text += ", trained with differential privacy.";
    } else {
        text += ", " + how_many(private_models) + " of them trained with differential privacy.";
    }
    return text + " Every figure below names the experiment behind it and how to run it again.";
}

}  // namespace

double attack_accuracy_bound(double epsilon, double delta) {
    // (e^eps + delta) / (1 + e^eps), written so that a large epsilon does not overflow.
    const double inverse = std::exp(-epsilon);
    return (1 + delta * inverse) / (1 + inverse);
}

double attack_hit_rate_bound(double epsilon, double delta, double false_alarm_rate) {
    const double near_zero = std::exp(epsilon) * false_alarm_rate + delta;
    const double near_one = 1 - std::exp(-epsilon) * (1 - delta - false_alarm_rate);
    return std::clamp(std::min(near_zero, near_one), 0.0, 1.0);
}

Report make_training_report(const std::vector<TrainingRecord>& records,
                            const TrainingReportOptions& options) {
    if (records.empty()) throw Error(ErrorCode::kInvalid, "a report needs at least one record");
    const auto twins = twins_of(records);
    Report report{options.title,    options.created_utc, options.software, "", {},
                  options.commands, glossary()};
    std::set<PairKey> paired;
    for (const TrainingRecord& record : records) {
        if (record.privacy) paired.insert(key_of(record));
    }
    std::map<std::string, int> ids;
    size_t private_models = 0;
    for (TrainingRecord record : records) {
        const PairKey key = key_of(record);
        if (!record.command.empty()) report.commands.push_back(record.command);
        if (!record.privacy && paired.count(key) != 0) continue;  // shown beside its private twin
        const auto twin = record.privacy ? twins.find(key) : twins.end();
        const TrainingRecord* other = twin == twins.end() ? nullptr : twin->second;
        const Recheck again = record.privacy ? recheck(*record.privacy) : Recheck{};
        if (record.privacy) record.privacy = shown_facts(*record.privacy, again);
        Subject subject = make_subject(record, other, again);
        subject.id = slug(record.data.name + "-" + record.model.name);
        if (const int number = ++ids[subject.id]; number > 1) {
            subject.id += "-" + std::to_string(number);
        }
        add_sections(subject, record, other, again);
        private_models += record.privacy ? 1 : 0;
        report.subjects.push_back(std::move(subject));
    }
    report.summary = summary_of(report.subjects.size(), private_models);
    return report;
}

}  // namespace ward::audit
