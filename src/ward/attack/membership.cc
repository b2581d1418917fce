#include "ward/attack/membership.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "ward/attack/quantile_regression.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

// Mean, number and sum of squared deviations of the log odds of one example over models.
struct Moments {
    double mean = 0, squares = 0;
    int64_t count = 0;

    void add(double value) {
        ++count;
        const double delta = value - mean;
        mean += delta / static_cast<double>(count);
        squares += delta * (value - mean);
    }
};

// Below this the Gaussian of an example is a spike that no observation falls into.
constexpr double kLeastDeviation = 1e-3;

std::vector<Moments> moments(const MembershipSignals& signals, bool in) {
    std::vector<Moments> result(signals.target.log_p.size());
    for (size_t r = 0; r < signals.references.size(); ++r) {
        for (size_t i = 0; i < result.size(); ++i) {
            if ((signals.held[r][i] != 0) == in) result[i].add(signals.references[r].log_odds[i]);
        }
    }
    return result;
}

void require_count(const std::vector<Moments>& moments, int64_t least, std::string_view attack,
                   const char* kind) {
    for (size_t i = 0; i < moments.size(); ++i) {
        if (moments[i].count >= least) continue;
        throw Error(ErrorCode::kInvalid,
                    std::string(attack) + " needs at least " + std::to_string(least) +
                        " reference models " + kind + " each example, got " +
                        std::to_string(moments[i].count) + " for example " + std::to_string(i),
                    "train more references, or use an attack that needs fewer");
    }
}

double deviation(const Moments& moments) {
    return std::sqrt(moments.squares / static_cast<double>(moments.count));
}

// One deviation for all: that within examples, pooled.
double pooled_deviation(const std::vector<Moments>& moments) {
    double squares = 0, freedom = 0;
    for (const Moments& m : moments) {
        squares += m.squares;
        freedom += static_cast<double>(m.count - 1);
    }
    return freedom > 0 ? std::sqrt(squares / freedom) : 1;
}

double log_density(double x, double mean, double deviation) {
    const double z = (x - mean) / deviation;
    return -0.5 * z * z - std::log(deviation);
}

std::vector<double> lira_online(const MembershipSignals& signals, bool fixed,
                                std::string_view attack) {
    const std::vector<Moments> in = moments(signals, true), out = moments(signals, false);
    require_count(in, fixed ? 1 : 2, attack, "with");
    require_count(out, fixed ? 1 : 2, attack, "without");
    const double all_in = pooled_deviation(in), all_out = pooled_deviation(out);
    std::vector<double> scores(in.size());
    for (size_t i = 0; i < in.size(); ++i) {
        const double x = signals.target.log_odds[i];
        const double s_in = std::max(fixed ? all_in : deviation(in[i]), kLeastDeviation);
        const double s_out = std::max(fixed ? all_out : deviation(out[i]), kLeastDeviation);
        scores[i] = log_density(x, in[i].mean, s_in) - log_density(x, out[i].mean, s_out);
    }
    return scores;
}

// 1 - P[N(mean, s) > x] orders as its argument does, and that does not saturate.
std::vector<double> lira_offline(const MembershipSignals& signals, bool fixed,
                                 std::string_view attack) {
    const std::vector<Moments> out = moments(signals, false);
    require_count(out, fixed ? 1 : 2, attack, "without");
    const double all = std::max(pooled_deviation(out), kLeastDeviation);
    std::vector<double> scores(out.size());
    for (size_t i = 0; i < out.size(); ++i) {
        const double s = fixed ? all : std::max(deviation(out[i]), kLeastDeviation);
        scores[i] = (signals.target.log_odds[i] - out[i].mean) / s;
    }
    return scores;
}

// Share of the sorted values that lie at or below x.
double rank(const std::vector<double>& sorted, double x) {
    return static_cast<double>(std::upper_bound(sorted.begin(), sorted.end(), x) - sorted.begin()) /
           static_cast<double>(sorted.size());
}

std::vector<double> attack_p(const MembershipSignals& signals) {
    std::vector<double> population = signals.target_population;
    std::sort(population.begin(), population.end());
    std::vector<double> scores;
    for (const double x : signals.target.log_p) scores.push_back(rank(population, x));
    return scores;
}

// The share of references that are less sure than the target; where that is the same, the mean
// distance to them, squashed to less than the step between shares.
std::vector<double> attack_r(const MembershipSignals& signals, std::string_view attack) {
    const std::vector<Moments> out = moments(signals, false);
    require_count(out, 1, attack, "without");
    std::vector<double> scores(out.size());
    for (size_t i = 0; i < out.size(); ++i) {
        int64_t below = 0;
        double distance = 0;
        for (size_t r = 0; r < signals.references.size(); ++r) {
            if (signals.held[r][i]) continue;
            const double difference = signals.target.log_p[i] - signals.references[r].log_p[i];
            below += difference >= 0 ? 1 : 0;
            distance += difference;
        }
        const auto count = static_cast<double>(out[i].count);
        const double squashed = std::atan(distance / count) * M_1_PI;  // in (-1/2, 1/2)
        scores[i] = (static_cast<double>(below) + squashed) / count;
    }
    return scores;
}

// ln p(x) as a mean over references: of those that `use` says, or of all.
template <typename Use>
double log_mean(size_t references, const Use& use) {
    double sum = 0;
    int64_t count = 0;
    for (size_t r = 0; r < references; ++r) {
        const double log_p = use(r);
        if (std::isnan(log_p)) continue;
        sum += std::exp(log_p);
        ++count;
    }
    return count == 0 ? std::nan("") : sum / static_cast<double>(count);
}

// The share of the population that an example dominates. Many share the last step of a small
// population, among them those that low false-positive rates are about; there the ratio decides.
std::vector<double> rmia(const MembershipSignals& signals, bool online,
                         const MembershipOptions& options, std::string_view attack) {
    const std::vector<Moments> in = moments(signals, true), out = moments(signals, false);
    require_count(out, 1, attack, "without");
    if (online) require_count(in, 1, attack, "with");
    const size_t references = signals.references.size();
    // From the mean over references without the example to that over all: the authors' line.
    const auto offline = [&](double p_out) {
        return 0.5 * ((1 + options.offline_a) * p_out + 1 - options.offline_a);
    };
    std::vector<double> population(signals.target_population.size());
    for (size_t z = 0; z < population.size(); ++z) {
        const double p =
            log_mean(references, [&](size_t r) { return signals.reference_population[r][z]; });
        population[z] = signals.target_population[z] - std::log(online ? p : offline(p));
    }
    std::sort(population.begin(), population.end());
    std::vector<double> scores(signals.target.log_p.size());
    const double log_gamma = std::log(options.gamma);
    for (size_t i = 0; i < scores.size(); ++i) {
        const auto mean_over = [&](bool held) {
            return log_mean(references, [&](size_t r) {
                return (signals.held[r][i] != 0) == held ? signals.references[r].log_p[i]
                                                         : std::nan("");
            });
        };
        const double p_out = mean_over(false);
        const double p = online ? 0.5 * (p_out + mean_over(true)) : offline(p_out);
        const double log_ratio = signals.target.log_p[i] - std::log(p) - log_gamma;
        scores[i] = rank(population, log_ratio) +
                    std::atan(log_ratio) * M_1_PI / static_cast<double>(population.size() + 1);
    }
    return scores;
}

// From ln p: exact also where p is next to 1.
double log_odds_of(double log_p) { return log_p - std::log(std::max(-std::expm1(log_p), 1e-300)); }

std::vector<double> quantile(const MembershipSignals& signals, const MembershipOptions& options) {
    std::vector<double> population;
    for (const double log_p : signals.target_population) population.push_back(log_odds_of(log_p));
    return quantile_scores({signals.features, signals.target.log_odds},
                           {signals.population_features, population}, options.seed);
}

struct Entry {
    std::string name;
    bool references, population;
    std::function<std::vector<double>(const MembershipSignals&, const MembershipOptions&)> score;
};

const std::vector<Entry>& entries() {
    using S = const MembershipSignals&;
    using O = const MembershipOptions&;
    static const std::vector<Entry> kEntries = {
        {"loss", false, false, [](S s, O) { return s.target.log_p; }},
        {"attack-p", false, true, [](S s, O) { return attack_p(s); }},
        {"quantile", false, true, [](S s, O o) { return quantile(s, o); }},
        {"label-gap", false, false, [](S s, O) { return s.label_gap; }},
        {"label-noise", false, false, [](S s, O) { return s.label_noise; }},
        {"label-augment", false, false, [](S s, O) { return s.label_augment; }},
        {"label-boundary", false, false, [](S s, O) { return s.label_boundary; }},
        {"attack-r", true, false, [](S s, O) { return attack_r(s, "attack-r"); }},
        {"lira-online", true, false, [](S s, O) { return lira_online(s, false, "lira-online"); }},
        {"lira-online-fixed", true, false,
         [](S s, O) { return lira_online(s, true, "lira-online-fixed"); }},
        {"lira-offline", true, false,
         [](S s, O) { return lira_offline(s, false, "lira-offline"); }},
        {"lira-offline-fixed", true, false,
         [](S s, O) { return lira_offline(s, true, "lira-offline-fixed"); }},
        {"rmia-online", true, true, [](S s, O o) { return rmia(s, true, o, "rmia-online"); }},
        {"rmia-offline", true, true, [](S s, O o) { return rmia(s, false, o, "rmia-offline"); }},
    };
    return kEntries;
}

const Entry& entry(std::string_view attack) {
    std::string known;
    for (const Entry& entry : entries()) {
        if (entry.name == attack) return entry;
        known += (known.empty() ? "" : ", ") + entry.name;
    }
    throw Error(ErrorCode::kUsage, "there is no membership attack " + std::string(attack),
                "known ones: " + known);
}

void check(const Entry& entry, const MembershipSignals& signals, const MembershipOptions& options) {
    const auto fail = [&](const std::string& what) {
        throw Error(ErrorCode::kInvalid, entry.name + ": " + what);
    };
    const size_t examples = signals.target.log_p.size();
    if (needs_labels(entry.name)) {
        const size_t asked = entry.score(signals, options).size();
        if (asked == 0 || (examples > 0 && asked != examples))
            fail("the target was not asked for these labels");
        return;
    }
    if (examples == 0) fail("there are no examples");
    if (signals.target.log_odds.size() != examples) fail("log odds and ln p differ in number");
    if (entry.references && signals.references.empty()) fail("there are no reference models");
    if (entry.population && signals.target_population.empty())
        fail("there is no population that nobody trained on");
    if (!(options.gamma >= 1) || !(options.offline_a >= 0 && options.offline_a <= 1)) {
        throw Error(ErrorCode::kUsage, "gamma must be >= 1 and a in [0, 1], got " +
                                           std::to_string(options.gamma) + " and " +
                                           std::to_string(options.offline_a));
    }
    if (!entry.references) return;
    if (signals.held.size() != signals.references.size()) fail("who holds what is not known");
    for (size_t r = 0; r < signals.references.size(); ++r) {
        if (signals.references[r].log_p.size() != examples ||
            signals.references[r].log_odds.size() != examples || signals.held[r].size() != examples)
            fail("reference " + std::to_string(r) + " is about other examples");
    }
    if (!entry.population) return;
    if (signals.reference_population.size() != signals.references.size())
        fail("references know nothing about the population");
    for (const auto& population : signals.reference_population) {
        if (population.size() != signals.target_population.size())
            fail("a reference is about another population");
    }
}

}  // namespace

Confidence confidence_of(const at::Tensor& logits, std::span<const int64_t> labels) {
    const at::Tensor rows = logits.detach().to(at::kCPU, at::kDouble).contiguous();
    if (rows.dim() != 2 || rows.size(0) != static_cast<int64_t>(labels.size()) ||
        rows.size(1) < 2) {
        throw Error(ErrorCode::kInvalid, "confidence needs one row of class scores per label");
    }
    const int64_t classes = rows.size(1);
    Confidence result;
    for (size_t i = 0; i < labels.size(); ++i) {
        const double* row = rows.data_ptr<double>() + static_cast<int64_t>(i) * classes;
        if (labels[i] < 0 || labels[i] >= classes) {
            throw Error(ErrorCode::kInvalid, "label " + std::to_string(labels[i]) + " of example " +
                                                 std::to_string(i) + " is none of the " +
                                                 std::to_string(classes) + " classes");
        }
        double most = -INFINITY, sum = 0;
        for (int64_t k = 0; k < classes; ++k)
            if (k != labels[i]) most = std::max(most, row[k]);
        for (int64_t k = 0; k < classes; ++k)
            if (k != labels[i]) sum += std::exp(row[k] - most);
        const double odds = row[labels[i]] - most - std::log(sum);
        if (!std::isfinite(odds)) {
            throw Error(ErrorCode::kInvalid,
                        "the scores of example " + std::to_string(i) + " are not finite");
        }
        result.log_odds.push_back(odds);
        result.log_p.push_back(odds > 0 ? -std::log1p(std::exp(-odds))
                                        : odds - std::log1p(std::exp(odds)));
    }
    return result;
}

std::vector<std::string> membership_attack_names() {
    std::vector<std::string> names;
    for (const Entry& entry : entries()) names.push_back(entry.name);
    return names;
}

bool needs_references(std::string_view attack) { return entry(attack).references; }
bool needs_population(std::string_view attack) { return entry(attack).population; }
bool needs_features(std::string_view attack) { return entry(attack).name == "quantile"; }
bool needs_labels(std::string_view attack) { return entry(attack).name.starts_with("label-"); }

std::vector<double> membership_scores(std::string_view attack, const MembershipSignals& signals,
                                      const MembershipOptions& options) {
    const Entry& chosen = entry(attack);
    check(chosen, signals, options);
    return chosen.score(signals, options);
}

}  // namespace ward::attack
