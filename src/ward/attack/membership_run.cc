#include "ward/attack/membership_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

#include "ward/attack/quantile_regression.h"
#include "ward/attack/target.h"
#include "ward/core/error.h"
#include "ward/nn/network.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kLeastPopulation = 10;

std::vector<int64_t> shuffled_rows(int64_t count, uint64_t seed) {
    std::vector<int64_t> rows(count);
    std::iota(rows.begin(), rows.end(), 0);
    std::mt19937_64 generator(seed);
    for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[generator() % i]);
    return rows;
}

// One set behind the other; what is per set comes from the first.
data::Dataset joined(data::Dataset first, const data::Dataset& second) {
    first.inputs.insert(first.inputs.end(), second.inputs.begin(), second.inputs.end());
    first.labels.insert(first.labels.end(), second.labels.begin(), second.labels.end());
    first.groups.clear();
    first.digest.clear();
    return first;
}

std::vector<int64_t> head(const std::vector<int64_t>& rows, int64_t count) {
    return {rows.begin(), rows.begin() + std::min<int64_t>(count, std::ssize(rows))};
}

struct Parts {
    data::Dataset pool;  // members that are attacked, others that are attacked, the rest
    int64_t members = 0, others = 0;
    data::Dataset population;
};

Parts split(const data::Dataset& members, const data::Dataset& others,
            const MembershipRunOptions& options) {
    const uint64_t seed = options.shadows.seed;
    const std::vector<int64_t> other_rows = shuffled_rows(others.size(), ~seed);
    const auto aside = static_cast<int64_t>(
        std::llround(options.population_share * static_cast<double>(others.size())));
    Parts parts;
    parts.population = data::select_rows(others, head(other_rows, aside));
    const std::vector<int64_t> left(other_rows.begin() + aside, other_rows.end());
    const std::vector<int64_t> member_rows = shuffled_rows(members.size(), seed);
    const int64_t most = options.count > 0 ? options.count : members.size() + others.size();
    parts.members = std::min<int64_t>(most, std::ssize(member_rows));
    parts.others = std::min<int64_t>(most, std::ssize(left));
    const auto rest = [](const std::vector<int64_t>& rows, int64_t from) {
        return std::vector<int64_t>(rows.begin() + from, rows.end());
    };
    parts.pool = joined(data::select_rows(members, head(member_rows, parts.members)),
                        data::select_rows(others, head(left, parts.others)));
    parts.pool =
        joined(std::move(parts.pool), data::select_rows(members, rest(member_rows, parts.members)));
    parts.pool = joined(std::move(parts.pool), data::select_rows(others, rest(left, parts.others)));
    return parts;
}

constexpr int64_t kRowsAtOnce = 500;

double share_of(const std::vector<uint8_t>& bits, const std::vector<uint8_t>& among, bool value) {
    double hits = 0, all = 0;
    for (size_t i = 0; i < bits.size(); ++i) {
        if ((among[i] != 0) != value) continue;
        hits += bits[i];
        ++all;
    }
    return all > 0 ? hits / all : 0;
}

bool asks(const MembershipRunOptions& options, std::string_view attack) {
    return std::find(options.attacks.begin(), options.attacks.end(), attack) !=
           options.attacks.end();
}

bool suffices(const std::string& attack, const MembershipRunOptions& options,
              const MembershipSignals& signals) {
    if (needs_labels(attack)) return false;
    if (needs_population(attack) && signals.target_population.empty()) return false;
    if (needs_features(attack) &&
        (!signals.features.defined() ||
         signals.population_features.size(0) < kLeastRegressionPopulation))
        return false;
    if (!needs_references(attack)) return true;
    const int64_t pairs = options.shadows.models / 2;
    const bool own_variance = attack == "lira-online" || attack == "lira-offline";
    return pairs >= (own_variance ? 2 : 1);
}

// Of a target that gives labels only; label-boundary is some sixty times as dear.
std::vector<std::string> cheap_label_attacks(bool images) {
    return {"label-gap", images ? "label-augment" : "label-noise"};
}

LabelQuestions questions_of(const MembershipRunOptions& options) {
    return {.gap = asks(options, "label-gap"),
            .noise = asks(options, "label-noise"),
            .augment = asks(options, "label-augment"),
            .boundary = asks(options, "label-boundary")};
}

// What quantile regression knows; token numbers are no features.
void add_features(const data::Dataset& examples, const data::Dataset& population, int64_t classes,
                  const MembershipRunOptions& options, MembershipSignals& signals) {
    if (examples.tokens || (!options.attacks.empty() && !asks(options, "quantile"))) return;
    signals.features = regression_features(examples, classes);
    signals.population_features = regression_features(population, classes);
}

template <typename T>
void keep(const std::vector<int64_t>& rows, std::vector<T>& values) {
    std::vector<T> kept;
    for (const int64_t row : rows) kept.push_back(values[static_cast<size_t>(row)]);
    values = std::move(kept);
}

// References know of all examples; those left over by a target that failed go.
void keep_answered(const std::vector<int64_t>& rows, MembershipSignals& signals) {
    for (Confidence& reference : signals.references) {
        keep(rows, reference.log_p);
        keep(rows, reference.log_odds);
    }
    for (std::vector<uint8_t>& held : signals.held) keep(rows, held);
}

void add_flags(const MembershipRunOptions& options, int64_t claimed_examples, int64_t trained_on,
               MembershipResult& result) {
    const auto add = [&](const std::string& text) { result.flags.push_back(text); };
    if (claimed_examples > 0 && claimed_examples != trained_on) {
        add("the model was trained on " + std::to_string(claimed_examples) +
            " examples, the training part of these data has " + std::to_string(trained_on) +
            ": who is a member is not known");
    }
    if (result.references > 0 &&
        static_cast<double>(result.reference_examples) < 0.8 * static_cast<double>(trained_on)) {
        add("references were trained on " + std::to_string(result.reference_examples) +
            " examples, the target on " + std::to_string(trained_on) +
            ": they know less, so the attacks are weaker than they could be");
    }
    const auto unresolved = [&](double rate) {
        return rate * static_cast<double>(result.others) < 1;
    };
    for (const double rate : options.roc.false_positive_rates) {
        if (unresolved(rate)) {
            add("a false-positive rate of " + std::to_string(rate) + " needs at least " +
                std::to_string(static_cast<int64_t>(std::ceil(1 / rate))) + " others, there are " +
                std::to_string(result.others));
        }
    }
    for (const std::string& doubt : doubts(result.answer)) add(doubt);
    if (result.labels_only) add("the target gives labels only: attacks by scores find more");
    if (result.references == 0 && !result.labels_only)
        add("no references: LiRA and RMIA, which find most, were left out");
    if (result.references > 0 && result.references < 16)
        add("fewer than 16 references: LiRA and RMIA gain from more");
}

// References have other numbers of examples than the target. A private one keeps sampling rate and
// steps, and with them the privacy that its noise gives; others keep the batch where they can.
void fit_batch(int64_t target_examples, int64_t examples, train::TrainOptions& train) {
    if (train.privacy) {
        const double rate = std::min(
            1.0, static_cast<double>(train.batch_size) / static_cast<double>(target_examples));
        train.batch_size = std::llround(rate * static_cast<double>(examples));
    }
    train.batch_size = std::clamp<int64_t>(train.batch_size, 1, examples);
}

void check_access(bool labels_only, const MembershipRunOptions& options) {
    if (!labels_only) return;
    if (options.shadows.models > 0) {
        throw Error(ErrorCode::kUsage,
                    "references are compared by scores, and the target gives labels only",
                    "ask for no references: --shadows 0");
    }
    for (const std::string& attack : options.attacks) {
        if (needs_labels(attack)) continue;
        throw Error(ErrorCode::kRefused, attack + " needs scores, and the target gives labels only",
                    "choose label-gap, label-noise, label-augment or label-boundary");
    }
}

void check(const data::Dataset& members, const data::Dataset& others,
           const MembershipRunOptions& options) {
    if (!(options.population_share > 0 && options.population_share < 1)) {
        throw Error(ErrorCode::kUsage,
                    "the population's share of the others must be in (0, 1), got " +
                        std::to_string(options.population_share));
    }
    if (members.size() < 1 || others.size() < kLeastPopulation) {
        throw Error(ErrorCode::kInvalid,
                    "membership is measured on members and others, got " +
                        std::to_string(members.size()) + " and " + std::to_string(others.size()),
                    "give the training data and at least 10 examples of the same kind");
    }
    if (members.labels.empty() || others.labels.empty()) {
        throw Error(ErrorCode::kInvalid, "membership attacks need labelled examples",
                    "name the label column with --label");
    }
}

MembershipResult summary_of(const MembershipAnswers& answers, const Parts& parts,
                            const std::vector<Shadow>& shadows) {
    MembershipResult result;
    result.queries = answers.queries;
    result.label_queries = answers.label_queries;
    result.answer = answers.form;
    result.partial = answers.partial;
    result.members = std::count_if(answers.rows.begin(), answers.rows.end(),
                                   [&](int64_t row) { return row < parts.members; });
    result.others = std::ssize(answers.rows) - result.members;
    result.population = parts.population.size();
    result.references = std::ssize(shadows);
    result.reference_examples = shadows.empty() ? 0 : parts.pool.size() / 2;
    for (const Shadow& shadow : shadows) result.references_from_cache += shadow.from_cache ? 1 : 0;
    return result;
}

}  // namespace

MembershipResult run_membership(const MembershipTarget& target, const data::Dataset& members,
                                const data::Dataset& others, const MembershipRunOptions& given) {
    const auto start = std::chrono::steady_clock::now();
    const bool labels_only = target.target.access() == Access::kLabels;
    MembershipRunOptions options = given;
    if (labels_only && options.attacks.empty())
        options.attacks = cheap_label_attacks(members.example_shape.size() == 3);
    check(members, others, options);
    for (const std::string& attack : options.attacks) needs_references(attack);  // known names
    check_access(labels_only, options);
    const Parts parts = split(members, others, options);
    std::vector<int64_t> rows(parts.members + parts.others);
    std::iota(rows.begin(), rows.end(), 0);
    const data::Dataset examples = data::select_rows(parts.pool, rows);
    MembershipAnswers answers = ask(target, examples, parts.members, parts.population,
                                    questions_of(options), options.labels);

    std::vector<Shadow> shadows;
    if (options.shadows.models > 0) {
        ShadowOptions fitted = options.shadows;
        fit_batch(members.size(), parts.pool.size() / 2, fitted.train);
        shadows = train_shadows(parts.pool, fitted);
    }
    MembershipSignals& signals = answers.signals;
    add_references(shadows, examples, parts.population, answers.form, signals);
    keep_answered(answers.rows, signals);
    if (!labels_only) {
        add_features(data::select_rows(examples, answers.rows), parts.population,
                     answers.form.classes, options, signals);
    }
    MembershipResult result = summary_of(answers, parts, shadows);
    result.labels_only = labels_only;
    std::vector<uint8_t> member;
    for (const int64_t row : answers.rows) member.push_back(row < parts.members ? 1 : 0);
    result.member_accuracy = share_of(answers.right, member, true);
    result.other_accuracy = share_of(answers.right, member, false);
    for (const std::string& attack :
         options.attacks.empty() ? membership_attack_names() : options.attacks) {
        if (options.attacks.empty() && !suffices(attack, options, signals)) continue;
        result.attacks.push_back({attack, roc_of(membership_scores(attack, signals, options.scores),
                                                 member, options.roc)});
    }
    add_flags(options, target.trained_on, members.size(), result);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

MembershipResult run_membership(const model::Model& target, const data::Dataset& members,
                                const data::Dataset& others, const MembershipRunOptions& options) {
    for (const data::Dataset* part : {&members, &others}) {
        if (part->example_shape == target.spec.input_shape) continue;
        throw Error(ErrorCode::kInvalid,
                    "data set " + part->name + " does not fit model " + target.spec.name,
                    "give data like those it was trained on");
    }
    const nn::Network network(target);
    Target asked(network, Access::kScores);
    asked.set_rows_at_once(kRowsAtOnce);
    return run_membership({.target = asked, .trained_on = target.card.training_examples}, members,
                          others, options);
}

}  // namespace ward::attack
