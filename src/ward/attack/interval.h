// Exact statements about counts: binomial tails, Clopper-Pearson limits, the normal law.
//
// Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the
// binomial", Biometrika 26 (1934): limits that cover with at least the stated confidence for every
// number of trials, which is what an audited bound needs (an approximate interval may cover less).
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>

namespace ward::attack {

struct Interval {
    double low = 0, high = 0;
};

// P[Binomial(trials, p) >= at_least], absolute error below 1e-12.
double binomial_tail(int64_t trials, int64_t at_least, double p);

// ln P[Binomial(trials, p) = successes]; minus infinity where that is impossible.
double log_binomial_mass(int64_t trials, int64_t successes, double p);

// One-sided limits: the probability of success is above (below) with at least this confidence.
// Throw Error kInvalid unless 0 <= successes <= trials, kUsage unless 0 < confidence < 1.
double clopper_pearson_lower(int64_t successes, int64_t trials, double confidence);
double clopper_pearson_upper(int64_t successes, int64_t trials, double confidence);

// Two-sided: half of the error on each side. {0, 1} for no trials.
Interval clopper_pearson(int64_t successes, int64_t trials, double confidence = 0.95);

double normal_cdf(double z);
double normal_quantile(double p);  // for 0 < p < 1; the infinities at 0 and 1

}  // namespace ward::attack
