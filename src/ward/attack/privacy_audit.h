// From guesses about canaries to a lower bound on epsilon, with a stated confidence.
//
// A game: m canaries, each inserted or not by a fair coin that the training does not know; after
// the run each has a score, higher where it looks inserted. If the training were (epsilon,
// delta)-private, no scores could be right too often. Turned around, scores that are right too
// often show that it is not: a lower bound, which a proved epsilon must not fall below.
//
//   one run   All canaries in one training. Steinke, Nasr, Jagielski, "Privacy Auditing with One
//   (1)
//             Training Run", NeurIPS 2023, theorem 5.2, evaluated exactly. It assumes nothing but
//             (epsilon, delta)-privacy. Beside it the bound of Mahloujifar, Melis, Chaudhuri,
//             "Auditing f-Differential Privacy in One Run", 2024, for the trade-off curve of the
//             claimed mechanism at another noise: much tighter, and valid when sampling rate and
//             number of steps are as claimed.
//   many runs Independent games with one canary each: Clopper-Pearson limits on both error rates,
//   and
//             the same two readings (Nasr et al., "Tight Auditing", USENIX Security 2023, section
//             3).
//
// Numbers of guesses (one run) are fixed beforehand and corrected for by Bonferroni; the threshold
// (many runs) is chosen on a fifth of the games that the bound then does not use. So the confidence
// holds for what is reported.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ward/dp/mechanism.h"
#include "ward/dp/plan.h"

namespace ward::attack {

struct AuditGame {
    std::vector<double> scores;     // per canary
    std::vector<uint8_t> inserted;  // per canary
};

// What is claimed. The phase is what the accountant accounts.
struct AuditClaim {
    double epsilon = 0, delta = 0;
    dp::SampledGaussianPhase phase;
};
AuditClaim claim_of(const dp::PrivacyPlan& plan);

struct AuditBound {
    double epsilon = 0;  // from (epsilon, delta)-privacy alone
    double curve_epsilon =
        0;  // from the curve of the claimed mechanism; 0 where none was asked for
    int64_t canaries = 0;
    int64_t guesses = 0, correct = 0;                         // behind `epsilon`
    double false_positive_rate = 0, false_negative_rate = 0;  // many runs: observed
    bool contradicts = false;  // one of the bounds is above the claimed epsilon
};

// Each bound holds with this confidence. Throws Error kInvalid for a game without canaries, unequal
// lengths or scores that are not numbers; kUsage for a confidence outside (0, 1).
AuditBound audit_one_run(const AuditGame& game, const AuditClaim& claim, double confidence = 0.95);
AuditBound audit_many_runs(const AuditGame& games, const AuditClaim& claim,
                           double confidence = 0.95);

// The probability that `correct` or more of `guesses` guesses about `canaries` canaries are right,
// at most, under (epsilon, delta)-privacy: Steinke et al., theorem 5.2.
double one_run_p_value(int64_t canaries, int64_t guesses, int64_t correct, double epsilon,
                       double delta);

// The largest epsilon that these guesses contradict; 0 when they contradict none.
double one_run_epsilon(int64_t canaries, int64_t guesses, int64_t correct, double delta,
                       double confidence = 0.95);

// The most true positives a test can have at each rate of false positives, from pairs (epsilon,
// delta) that hold in both directions.
class TradeOff {
  public:
    static TradeOff of_pair(double epsilon, double delta);
    static TradeOff of_mechanism(const dp::SampledGaussianPhase& phase);

    double most_true_positives(double false_positive_rate) const;
    double least_false_positives(double true_positive_rate) const;  // the inverse

  private:
    struct Line {
        double factor, delta;  // TPR <= factor * FPR + delta, and the mirror image
    };
    std::vector<Line> lines_;
};

// Whether so many correct guesses are less likely than `error` under this curve (Mahloujifar et
// al., theorem 6 and algorithm 3).
bool curve_contradicted(int64_t canaries, int64_t guesses, int64_t correct, const TradeOff& curve,
                        double error);

}  // namespace ward::attack
