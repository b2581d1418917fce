// Statistics of shared columns: sums, sums of squares, histograms, quantiles. Only what the caller
// opens becomes known; rows, and the values at which comparisons happen, stay shared.
//
// With a noise multiplier the results are differentially private: values are capped to +-bound and
// divided by it, so that one row moves every sum by at most 1 (histograms: one bin by 1), and to
// each comes discrete Gaussian noise that no party knows (noise.h). The k statistics of a request
// (two per column, three with a histogram) together are one Gaussian mechanism of the given
// multiplier: each gets the sqrt(k)-fold deviation. Neighbouring data: one row replaced by one that
// adds nothing; the number of rows is public. Quantiles have no private form here: take them from
// the histogram.
//
// Security: as the protocols used, verified with Security::kMalicious: the guarantee then holds
// against one party that deviates, and what it adds to the noise is bounded (noise.h). Thread
// safety: as Party.
#pragma once

#include <vector>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

struct StatisticsRequest {
    double bound = 1;               // largest magnitude of a value, up to 2^13
    std::vector<double> edges;      // of the histogram's bins, ascending; none: no histogram
    std::vector<double> quantiles;  // in (0, 1]
    double noise_multiplier = 0;    // 0: exact
};

struct SharedStatistics {
    SharedMatrix sums;         // 1 x columns, of values / bound
    SharedMatrix square_sums;  // 1 x columns, of (value / bound)^2
    SharedMatrix counts;       // bins (edges + 1) x columns
    SharedMatrix quantiles;    // probabilities x columns
};

// x: rows x columns, |x| <= bound (with noise, what is beyond is cut off); all results have 16
// fraction bits. Rounds: 19, and 14 for each of 16 halvings when there are quantiles; about 15
// bytes per value and edge, and per value, quantile and halving. Throws Error kUsage for a request
// out of range, kUnsupported for noise with Truncation::kFast; with noise as noise.h.
SharedStatistics column_statistics(Party& party, const SharedMatrix& x,
                                   const StatisticsRequest& request);

// What was opened, in the units of the values.
struct ColumnStatistics {
    double mean = 0;
    double variance = 0;  // of the sample, divided by rows
    std::vector<double> counts;
    std::vector<double> quantiles;  // at least as many values as asked are below or equal to it
};
std::vector<ColumnStatistics> read_statistics(const RingMatrix& sums, const RingMatrix& square_sums,
                                              const RingMatrix& counts, const RingMatrix& quantiles,
                                              size_t rows, const StatisticsRequest& request);

// Epsilon of a private request at delta, by Renyi accounting, which is exact for the discrete
// Gaussian; and the multiplier for an epsilon.
double statistics_epsilon(double noise_multiplier, double delta);
double statistics_noise(double epsilon, double delta);

}  // namespace ward::mpc
