#include "ward/attack/privacy_audit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "ward/attack/interval.h"
#include "ward/core/error.h"
#include "ward/dp/pld.h"

namespace ward::attack {
namespace {

constexpr double kMostEpsilon = 100;
constexpr int kBisections = 60;
constexpr int kNoiseBisections = 7;     // of the noise, after a factor of 2: to half a percent
constexpr double kMostNoiseRatio = 16;  // noise looked at: so many times more or less than claimed
constexpr int kCurvePairs = 24;
constexpr dp::PldOptions kQuick{.relative_gap = 5e-3, .max_log2_grid = 16};

void check(const AuditGame& game, double confidence) {
    if (game.scores.empty() || game.scores.size() != game.inserted.size()) {
        throw Error(ErrorCode::kInvalid, "an audit needs one score per canary, got " +
                                             std::to_string(game.scores.size()) + " for " +
                                             std::to_string(game.inserted.size()));
    }
    for (const double score : game.scores) {
        if (std::isnan(score))
            throw Error(ErrorCode::kInvalid, "the score of a canary is not a number");
    }
    if (!(confidence > 0 && confidence < 1)) {
        throw Error(ErrorCode::kUsage,
                    "confidence must be in (0, 1), got " + std::to_string(confidence));
    }
}

// How many of the highest scores are called inserted, and of the lowest not inserted.
struct Guesses {
    int64_t high = 0, low = 0, correct = 0;

    int64_t count() const { return high + low; }
};

// Fixed before anything is seen: shares of the canaries, on both sides or only the high one.
std::vector<Guesses> planned_guesses(int64_t canaries) {
    std::vector<Guesses> plans;
    for (const double share : {0.003, 0.01, 0.03, 0.08, 0.16, 0.33}) {
        const auto side = static_cast<int64_t>(std::llround(share * static_cast<double>(canaries)));
        if (side < 1) continue;
        plans.push_back({side, 0, 0});
        plans.push_back({side, side, 0});
    }
    if (plans.empty()) plans.push_back({1, 0, 0});
    return plans;
}

std::vector<Guesses> guesses_of(const AuditGame& game) {
    std::vector<size_t> order(game.scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return game.scores[a] > game.scores[b]; });
    std::vector<int64_t> inserted_above(order.size() + 1, 0);
    for (size_t i = 0; i < order.size(); ++i)
        inserted_above[i + 1] = inserted_above[i] + (game.inserted[order[i]] ? 1 : 0);
    const auto all = static_cast<int64_t>(order.size());
    std::vector<Guesses> plans = planned_guesses(all);
    for (Guesses& plan : plans) {
        const int64_t inserted_below = inserted_above[all] - inserted_above[all - plan.low];
        plan.correct = inserted_above[plan.high] + plan.low - inserted_below;
    }
    return plans;
}

dp::SampledGaussianPhase with_noise(dp::SampledGaussianPhase phase, double ratio) {
    phase.noise_multiplier *= ratio;
    return phase;
}

// What the curves of the claimed mechanism say: `contradicted` is asked about more and less noise.
// More noise is a stronger claim, contradicted sooner.
struct CurveBound {
    double epsilon = 0;  // of the least noise that is contradicted
    bool claim_contradicted = false;
};

template <typename Contradicted>
CurveBound bound_by_curves(const AuditClaim& claim, const Contradicted& contradicted) {
    const auto at = [&](double ratio) {
        return contradicted(TradeOff::of_mechanism(with_noise(claim.phase, ratio)));
    };
    CurveBound bound;
    bound.claim_contradicted = at(1);
    double refuted = 1, open = 1;
    if (bound.claim_contradicted) {
        do {
            refuted = open;
            open /= 2;
        } while (open > 1 / kMostNoiseRatio && at(open));
    } else {
        do {
            open = refuted;
            refuted *= 2;
            if (refuted > kMostNoiseRatio) return bound;
        } while (!at(refuted));
    }
    for (int i = 0; i < kNoiseBisections; ++i) {
        const double middle = std::sqrt(refuted * open);
        (at(middle) ? refuted : open) = middle;
    }
    const dp::SampledGaussianPhase phase = with_noise(claim.phase, refuted);
    bound.epsilon = dp::pld_epsilon({&phase, 1}, claim.delta, kQuick).lower;
    return bound;
}

// The largest epsilon for which a decreasing p-value is below the error.
template <typename PValue>
double largest_refuted(const PValue& p_value, double error) {
    if (p_value(0.0) >= error) return 0;
    double low = 0, high = kMostEpsilon;
    for (int i = 0; i < kBisections; ++i) {
        const double middle = 0.5 * (low + high);
        (p_value(middle) < error ? low : high) = middle;
    }
    return low;
}

// Error rates of the rule "inserted when the score is above the threshold".
struct Rates {
    int64_t in = 0, out = 0, missed = 0, alarms = 0;

    double false_positives_at_most(double confidence) const {
        return clopper_pearson_upper(alarms, out, confidence);
    }
    double false_negatives_at_most(double confidence) const {
        return clopper_pearson_upper(missed, in, confidence);
    }
};

Rates rates_at(const AuditGame& games, double threshold, bool choosing) {
    Rates rates;
    for (size_t i = 0; i < games.scores.size(); ++i) {
        if ((i % 5 == 0) != choosing) continue;
        const bool called = games.scores[i] > threshold;
        if (games.inserted[i]) {
            ++rates.in;
            rates.missed += called ? 0 : 1;
        } else {
            ++rates.out;
            rates.alarms += called ? 1 : 0;
        }
    }
    return rates;
}

// From both directions of (epsilon, delta)-privacy.
double epsilon_of_rates(double false_positives, double false_negatives, double delta) {
    const auto one = [&](double a, double b) {
        return a > 0 && 1 - delta - b > a ? std::log((1 - delta - b) / a) : 0.0;
    };
    return std::max(one(false_positives, false_negatives), one(false_negatives, false_positives));
}

// The threshold, among scores of the choosing part, with the best value there.
template <typename Value>
double best_threshold(const AuditGame& games, const Value& value) {
    std::vector<double> candidates;
    for (size_t i = 0; i < games.scores.size(); i += 5) candidates.push_back(games.scores[i]);
    std::sort(candidates.begin(), candidates.end());
    double best = candidates.front(), best_value = -1;
    const size_t step = std::max<size_t>(1, candidates.size() / 64);
    for (size_t i = 0; i < candidates.size(); i += step) {
        const double found = value(rates_at(games, candidates[i], true));
        if (found > best_value) {
            best_value = found;
            best = candidates[i];
        }
    }
    return best;
}

}  // namespace

AuditClaim claim_of(const dp::PrivacyPlan& plan) {
    return {plan.epsilon().upper, plan.delta(), plan.accounted_phase(plan.steps())};
}

// The theorem bounds P[correct >= v] by P[B >= v] + 2 m delta max_i P[v > B >= v - i] / i for B
// binomial with success probability e^epsilon / (1 + e^epsilon).
double one_run_p_value(int64_t canaries, int64_t guesses, int64_t correct, double epsilon,
                       double delta) {
    if (correct < 0 || correct > guesses || guesses > canaries || epsilon < 0) {
        throw Error(ErrorCode::kInvalid,
                    "an audit has correct guesses <= guesses <= canaries and epsilon >= 0, got " +
                        std::to_string(correct) + ", " + std::to_string(guesses) + " and " +
                        std::to_string(canaries));
    }
    const double p = 1 / (1 + std::exp(-epsilon));
    const double beta = binomial_tail(guesses, correct, p);
    double alpha = 0, sum = 0;
    for (int64_t i = 1; i <= correct; ++i) {
        sum += std::exp(log_binomial_mass(guesses, correct - i, p));
        alpha = std::max(alpha, sum / static_cast<double>(i));
        if (alpha * static_cast<double>(i + 1) > 1) break;  // no later one can be larger
    }
    return std::min(1.0, beta + 2 * static_cast<double>(canaries) * delta * alpha);
}

double one_run_epsilon(int64_t canaries, int64_t guesses, int64_t correct, double delta,
                       double confidence) {
    return largest_refuted(
        [&](double epsilon) { return one_run_p_value(canaries, guesses, correct, epsilon, delta); },
        1 - confidence);
}

TradeOff TradeOff::of_pair(double epsilon, double delta) {
    TradeOff curve;
    curve.lines_.push_back({std::exp(epsilon), delta});
    return curve;
}

// The envelope of a few dozen pairs lies on or above the curve itself, which is the safe side.
TradeOff TradeOff::of_mechanism(const dp::SampledGaussianPhase& phase) {
    TradeOff curve;
    const double most = std::min(kMostEpsilon, dp::pld_epsilon({&phase, 1}, 1e-9, kQuick).upper);
    for (int i = 0; i <= kCurvePairs; ++i) {
        const double share = static_cast<double>(i) / kCurvePairs;
        const double epsilon = most * share * std::sqrt(share);  // denser where it is curved most
        curve.lines_.push_back(
            {std::exp(epsilon), dp::pld_delta({&phase, 1}, epsilon, kQuick).upper});
    }
    return curve;
}

double TradeOff::most_true_positives(double false_positive_rate) const {
    double most = 1;
    for (const Line& line : lines_) {
        most = std::min({most, line.factor * false_positive_rate + line.delta,
                         1 - (1 - line.delta - false_positive_rate) / line.factor});
    }
    return std::max(most, false_positive_rate);
}

double TradeOff::least_false_positives(double true_positive_rate) const {
    double least = 0;
    for (const Line& line : lines_) {
        least = std::max({least, (true_positive_rate - line.delta) / line.factor,
                          1 - line.delta - line.factor * (1 - true_positive_rate)});
    }
    return std::min(least, true_positive_rate);
}

// r[i] and h[i] are the probabilities, weighted by the share of the canaries, of being right and of
// being wrong about one canary while at least i guesses are right. If `correct` were reached with
// probability `error`, the curve would force so much weight onto fewer correct guesses that more
// than all of it would be needed.
bool curve_contradicted(int64_t canaries, int64_t guesses, int64_t correct, const TradeOff& curve,
                        double error) {
    const auto m = static_cast<double>(canaries);
    double right = error * static_cast<double>(correct) / m;
    double wrong = error * static_cast<double>(guesses - correct) / m;
    const double all = static_cast<double>(guesses) / m;
    for (int64_t i = correct - 1; i >= 0; --i) {
        const double forced = std::max(wrong, curve.least_false_positives(right));
        right += static_cast<double>(i) / static_cast<double>(guesses - i) * (forced - wrong);
        wrong = forced;
        if (right + wrong > all) return true;
    }
    return false;
}

AuditBound audit_one_run(const AuditGame& game, const AuditClaim& claim, double confidence) {
    check(game, confidence);
    AuditBound bound;
    bound.canaries = std::ssize(game.scores);
    const std::vector<Guesses> tries = guesses_of(game);
    const double error = (1 - confidence) / static_cast<double>(tries.size());
    for (const Guesses& guesses : tries) {
        const double epsilon = one_run_epsilon(bound.canaries, guesses.count(), guesses.correct,
                                               claim.delta, 1 - error);
        if (bound.guesses > 0 && epsilon <= bound.epsilon) continue;
        bound.epsilon = epsilon;
        bound.guesses = guesses.count();
        bound.correct = guesses.correct;
    }
    const CurveBound curve = bound_by_curves(claim, [&](const TradeOff& trade_off) {
        return std::any_of(tries.begin(), tries.end(), [&](const Guesses& guesses) {
            return curve_contradicted(bound.canaries, guesses.count(), guesses.correct, trade_off,
                                      error);
        });
    });
    bound.curve_epsilon = curve.epsilon;
    bound.contradicts = bound.epsilon > claim.epsilon || curve.claim_contradicted;
    return bound;
}

AuditBound audit_many_runs(const AuditGame& games, const AuditClaim& claim, double confidence) {
    check(games, confidence);
    const double each = 0.5 * (1 + confidence);  // two limits share the error
    AuditBound bound;
    bound.canaries = std::ssize(games.scores);
    const double threshold = best_threshold(games, [&](const Rates& rates) {
        return epsilon_of_rates(rates.false_positives_at_most(each),
                                rates.false_negatives_at_most(each), claim.delta);
    });
    const Rates rates = rates_at(games, threshold, false);
    bound.epsilon = epsilon_of_rates(rates.false_positives_at_most(each),
                                     rates.false_negatives_at_most(each), claim.delta);
    const double middle = best_threshold(games, [&](const Rates& seen) {
        return normal_quantile(1 - seen.false_negatives_at_most(each)) -
               normal_quantile(seen.false_positives_at_most(each)) + kMostEpsilon;
    });
    const Rates at_middle = rates_at(games, middle, false);
    const double false_positives = at_middle.false_positives_at_most(each);
    const double true_positives = 1 - at_middle.false_negatives_at_most(each);
    const CurveBound curve = bound_by_curves(claim, [&](const TradeOff& trade_off) {
        return true_positives > trade_off.most_true_positives(false_positives);
    });
    bound.guesses = at_middle.in + at_middle.out;
    bound.correct = bound.guesses - at_middle.missed - at_middle.alarms;
    const auto share = [](int64_t part, int64_t whole) {
        return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
    };
    bound.false_positive_rate = share(at_middle.alarms, at_middle.out);
    bound.false_negative_rate = share(at_middle.missed, at_middle.in);
    bound.curve_epsilon = curve.epsilon;
    bound.contradicts = bound.epsilon > claim.epsilon || curve.claim_contradicted;
    return bound;
}

}  // namespace ward::attack
