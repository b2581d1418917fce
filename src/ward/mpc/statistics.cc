#include "ward/mpc/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/dp/calibrate.h"
#include "ward/dp/rdp.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/clip.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/noise.h"
#include "ward/mpc/shuffle.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {
namespace {

constexpr double kMaxBound = 8192;
constexpr size_t kMaxEdges = 4096;
constexpr int kComparedBits = 32;
constexpr int kHalvings = 16;
constexpr int kInverseBits = 30;
// A row may add this much to a sum: 1, and what dividing by the bound and squaring round up.
constexpr double kSensitivity = 1 + 0x1p-13;

// So that no value divided by the bound becomes larger than 1.
Ring rounded_down(double value, int bits) {
    return static_cast<Ring>(std::floor(std::ldexp(value, bits)));
}

void check(const StatisticsRequest& request) {
    const auto refuse = [](const std::string& what) { throw Error(ErrorCode::kUsage, what); };
    if (!(request.bound >= 0x1p-8 && request.bound <= kMaxBound)) {
        refuse("the bound of statistics must be from 2^-8 to 8192, got " +
               std::to_string(request.bound));
    }
    const auto& edges = request.edges;
    if (edges.size() > kMaxEdges || !std::is_sorted(edges.begin(), edges.end())) {
        refuse("edges must ascend, and at most 4096 are possible");
    }
    for (double edge : edges) {
        if (!(std::abs(edge) <= kMaxBound)) refuse("an edge must be within +-8192");
    }
    for (double q : request.quantiles) {
        if (!(q > 0 && q <= 1)) {
            refuse("a quantile must be in (0, 1], got " + std::to_string(q));
        }
    }
    if (!(request.noise_multiplier >= 0)) refuse("the noise multiplier must be >= 0");
    if (request.noise_multiplier > 0 && !request.quantiles.empty()) {
        refuse("quantiles have no private form; take them from the histogram");
    }
}

// 1 x columns: the sum of each block of `rows` rows of 0 and 1 (blocks x columns in all).
SharedMatrix block_sums(const SharedMatrix& x, size_t blocks) {
    const size_t rows = x.rows / blocks;
    SharedMatrix out(blocks, x.cols);
    std::fill(out.first.begin(), out.first.end(), Ring{0});
    std::fill(out.second.begin(), out.second.end(), Ring{0});
    for (size_t i = 0; i < x.size(); ++i) {
        const size_t to = i / (rows * x.cols) * x.cols + i % x.cols;
        out.first[to] += x.first[i];
        out.second[to] += x.second[i];
    }
    return out;
}

// [x >= level] as 0 and 1, for each row of `levels` (blocks x columns) one block of x's rows.
SharedMatrix reached(Party& party, const SharedMatrix& x, const SharedMatrix& levels) {
    SharedMatrix differences(levels.rows * x.rows, x.cols);
    for (size_t i = 0; i < differences.size(); ++i) {
        const size_t level = i / x.size() * x.cols + i % x.cols;
        differences.first[i] = x.first[i % x.size()] - levels.first[level];
        differences.second[i] = x.second[i % x.size()] - levels.second[level];
    }
    return to_ring(party, is_nonnegative(party, differences, kComparedBits), differences.rows,
                   x.cols);
}

SharedMatrix public_matrix(const Party& party, size_t rows, size_t cols,
                           const std::vector<Ring>& row_values) {
    SharedMatrix out(rows, cols);
    for (size_t i = 0; i < out.size(); ++i) {
        out.first[i] = party.index() == 0 ? row_values[i / cols] : 0;
        out.second[i] = party.index() == 2 ? row_values[i / cols] : 0;
    }
    return out;
}

// Rows in each bin: of values below the first edge, between two, from the last one on.
SharedMatrix histogram(Party& party, const SharedMatrix& x, const std::vector<double>& edges) {
    std::vector<Ring> levels;
    for (double edge : edges) levels.push_back(encode_constant(edge));
    const SharedMatrix above = block_sums(
        reached(party, x, public_matrix(party, edges.size(), x.cols, levels)), edges.size());
    SharedMatrix out =
        public_matrix(party, edges.size() + 1, x.cols, std::vector<Ring>(edges.size() + 1, 0));
    const Ring rows = x.rows;
    for (size_t c = 0; c < x.cols; ++c) {
        out.first[c] = party.index() == 0 ? rows : 0;
        out.second[c] = party.index() == 2 ? rows : 0;
    }
    for (size_t i = 0; i < above.size(); ++i) {
        out.first[i] -= above.first[i];
        out.second[i] -= above.second[i];
        out.first[i + x.cols] += above.first[i];
        out.second[i + x.cols] += above.second[i];
    }
    return scale(out, encode_constant(1));
}

// The largest level on a grid of 2 bound / 2^16 below which lie fewer than k values: the k-th
// smallest value, rounded downwards. The levels of the halvings are shared and never opened.
SharedMatrix quantiles(Party& party, const SharedMatrix& x, const StatisticsRequest& request) {
    std::vector<Ring> ranks, low;
    for (double q : request.quantiles) {
        const double rank = std::ceil(q * static_cast<double>(x.rows) - 1e-9);
        ranks.push_back(static_cast<Ring>(std::max(rank, 1.0)));
        low.push_back(encode_constant(-request.bound));
    }
    const size_t blocks = ranks.size();
    const SharedMatrix rank = public_matrix(party, blocks, x.cols, ranks);
    SharedMatrix level = public_matrix(party, blocks, x.cols, low);
    double step = request.bound;
    for (int i = 0; i < kHalvings; ++i, step /= 2) {
        const Ring move = std::max<Ring>(encode_constant(step), 1);
        const SharedMatrix next = add_public(party, level, move);
        // Values below `next`: rows less those that reach it.
        const SharedMatrix above = block_sums(reached(party, x, next), blocks);
        const SharedMatrix below = add_public(party, negate(above), x.rows);
        const SharedBits fewer = is_negative(party, subtract(below, rank), kComparedBits);
        level = add(level, scale(to_ring(party, fewer, blocks, x.cols), move));
    }
    return level;
}

void require_private_setting(const Party& party) {
    if (party.truncation() == Truncation::kExact) return;
    throw Error(ErrorCode::kUnsupported,
                "the fast truncation can be far off, so noise has no known effect with it",
                "take the exact truncation");
}

// To all figures at once: with kMalicious what is drawn is verified, which costs rounds.
void add_noise(Party& party, SharedStatistics& statistics, double deviation) {
    std::vector<SharedMatrix> parts = {statistics.sums, statistics.square_sums};
    if (statistics.counts.rows > 0) parts.push_back(statistics.counts);
    const SharedMatrix all = stack_rows(parts);
    const SharedMatrix noisy =
        add(all, discrete_gaussian_noise(party, all.rows, all.cols, std::ldexp(deviation, 16)));
    const auto rows_from = [&](size_t first, size_t count) {
        std::vector<size_t> rows(count);
        std::iota(rows.begin(), rows.end(), first);
        return select_rows(noisy, rows);
    };
    statistics.sums = rows_from(0, 1);
    statistics.square_sums = rows_from(1, 1);
    statistics.counts = rows_from(2, statistics.counts.rows);
}

}  // namespace

SharedStatistics column_statistics(Party& party, const SharedMatrix& x,
                                   const StatisticsRequest& request) {
    const net::TrafficLedger::Scope scope(party.ledger(), "statistics");
    check(request);
    const bool noisy = request.noise_multiplier > 0;
    if (noisy) require_private_setting(party);
    const SharedMatrix capped =
        noisy ? cap(party, x, RingVector(x.size(), rounded_down(request.bound, kFractionBits))) : x;
    const Ring inverse = rounded_down(1 / request.bound, kInverseBits);
    const SharedMatrix unit = truncate(party, scale(capped, inverse), kInverseBits);
    SharedStatistics out;
    out.sums = sum_rows(unit);
    out.square_sums = sum_rows(multiply_fixed(party, unit, unit));
    out.counts = SharedMatrix(0, x.cols);
    out.quantiles = SharedMatrix(0, x.cols);
    if (!request.edges.empty()) out.counts = histogram(party, capped, request.edges);
    if (!request.quantiles.empty()) out.quantiles = quantiles(party, capped, request);
    if (!noisy) return out;
    const size_t statistics = x.cols * (request.edges.empty() ? 2 : 3);
    const double deviation =
        request.noise_multiplier * std::sqrt(static_cast<double>(statistics)) * kSensitivity;
    add_noise(party, out, deviation);
    return out;
}

std::vector<ColumnStatistics> read_statistics(const RingMatrix& sums, const RingMatrix& square_sums,
                                              const RingMatrix& counts, const RingMatrix& quantiles,
                                              size_t rows, const StatisticsRequest& request) {
    std::vector<ColumnStatistics> out(sums.cols);
    const auto n = static_cast<double>(std::max<size_t>(rows, 1));
    for (size_t c = 0; c < out.size(); ++c) {
        const double mean = decode(sums.values[c]) / n;
        const double square = decode(square_sums.values[c]) / n;
        out[c].mean = mean * request.bound;
        out[c].variance = std::max(0.0, square - mean * mean) * request.bound * request.bound;
        for (size_t b = 0; b < counts.rows; ++b) {
            out[c].counts.push_back(decode(counts.values[b * counts.cols + c]));
        }
        for (size_t q = 0; q < quantiles.rows; ++q) {
            out[c].quantiles.push_back(decode(quantiles.values[q * quantiles.cols + c]));
        }
    }
    return out;
}

double statistics_epsilon(double noise_multiplier, double delta) {
    const dp::SampledGaussianPhase phase = {1, noise_multiplier, 1};
    return dp::rdp_epsilon({&phase, 1}, delta).epsilon;
}

double statistics_noise(double epsilon, double delta) {
    return dp::calibrate_noise_multiplier(epsilon, delta, 1, 1, dp::Accountant::kRdp);
}

}  // namespace ward::mpc
