#include "ward/mpc/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/dp/gaussian.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

SharedMatrix shared(Party& party, const RingMatrix& values) {
    return share(party, 1, party.index() == 1 ? &values : nullptr, values.rows, values.cols);
}

std::vector<ColumnStatistics> statistics_of(Party& party, const RingMatrix& x,
                                            const StatisticsRequest& request) {
    const SharedStatistics got = column_statistics(party, shared(party, x), request);
    const auto opened = [&](const SharedMatrix& m) {
        return m.size() == 0 ? RingMatrix(m.rows, m.cols) : open(party, m);
    };
    return read_statistics(opened(got.sums), opened(got.square_sums), opened(got.counts),
                           opened(got.quantiles), x.rows, request);
}

RingMatrix random_columns(size_t rows, size_t cols, double size) {
    Random random = testonly::seeded_random(6);
    std::vector<double> values(rows * cols);
    for (size_t i = 0; i < values.size(); ++i) {
        values[i] = (2 * random.uniform01() - 1) * size * (i % cols == 0 ? 1 : 0.25);
    }
    return encode(values, rows, cols, "x");
}

void check_exact(Security security, size_t rows) {
    const RingMatrix x = random_columns(rows, 3, 50);
    const StatisticsRequest request = {
        .bound = 64, .edges = {-30, -1, 0, 12.5, 60}, .quantiles = {0.001, 0.25, 0.5, 1}};
    run_local(
        [&](Party& party) {
            const auto got = statistics_of(party, x, request);
            ASSERT_EQ(got.size(), 3u);
            for (size_t c = 0; c < 3; ++c) {
                std::vector<double> column;
                for (size_t r = 0; r < rows; ++r) column.push_back(decode(x.values[r * 3 + c]));
                double mean = 0, square = 0;
                for (double v : column) mean += v / static_cast<double>(rows);
                for (double v : column)
                    square += (v - mean) * (v - mean) / static_cast<double>(rows);
                EXPECT_NEAR(got[c].mean, mean, 64 * 0x1p-15);
                EXPECT_NEAR(got[c].variance, square, 64 * 64 * 0x1p-13);
                std::vector<double> bins(6);
                for (double v : column) {
                    const auto& e = request.edges;
                    bins[static_cast<size_t>(std::upper_bound(e.begin(), e.end(), v) -
                                             e.begin())] += 1;
                }
                EXPECT_EQ(got[c].counts, bins);
                std::sort(column.begin(), column.end());
                for (size_t q = 0; q < 4; ++q) {
                    const double rank = std::ceil(request.quantiles[q] * static_cast<double>(rows));
                    const double right = column[static_cast<size_t>(std::max(rank, 1.0)) - 1];
                    EXPECT_LE(got[c].quantiles[q], right);
                    EXPECT_GT(got[c].quantiles[q], right - 2 * 64 * 0x1p-16 - 1e-9)
                        << c << " " << q;
                }
            }
        },
        {.security = security});
}

TEST(Statistics, AreThoseOfTheColumns) { check_exact(Security::kSemiHonest, 301); }

TEST(Statistics, AreThoseOfTheColumnsWithSecurityAgainstDeviations) {
    check_exact(Security::kMalicious, 33);
}

TEST(Statistics, NoiseHasTheDeviationThatIsAccounted) {
    // Columns of zeros: what comes out is the noise. Values out of bounds are cut off.
    constexpr size_t kColumns = 500;
    RingMatrix x(2, kColumns);
    std::fill(x.values.begin(), x.values.end(), Ring{0});
    const StatisticsRequest request = {.bound = 2, .edges = {0}, .noise_multiplier = 3};
    run_local([&](Party& party) {
        const auto got = statistics_of(party, x, request);
        double sums = 0, counts = 0;
        for (const ColumnStatistics& column : got) {
            sums += std::pow(column.mean, 2) / kColumns;  // two rows over a bound of two
            counts += std::pow(column.counts[0], 2) / kColumns;
        }
        const double expected = 1.5 * 9 * 3 * kColumns;  // three statistics per column
        EXPECT_NEAR(sums / expected, 1, 7 * std::sqrt(2.0 / kColumns));
        EXPECT_NEAR(counts / expected, 1, 7 * std::sqrt(2.0 / kColumns));
    });
    RingMatrix far = encode(std::vector<double>{8000}, 1, 1, "x");
    const StatisticsRequest low = {.bound = 2, .edges = {}, .noise_multiplier = 0.05};
    run_local([&](Party& party) { EXPECT_NEAR(statistics_of(party, far, low)[0].mean, 2, 2); });
    const double exact = dp::gaussian_epsilon(3, 1e-6);
    EXPECT_GE(statistics_epsilon(3, 1e-6), exact);
    EXPECT_LE(statistics_epsilon(3, 1e-6), 1.2 * exact);
    EXPECT_NEAR(statistics_epsilon(statistics_noise(1, 1e-6), 1e-6), 1, 0.001);
}

// What one row adds is at most 1 whatever the bound, or the noise would not cover it.
void expect_row_below_sensitivity(Security security) {
    constexpr size_t kColumns = 40;
    const RingMatrix x = encode(std::vector<double>(kColumns, 8191), 1, kColumns, "x");
    for (double bound : {0x1p-8, 0.0041, 0.3, 1.0, 6890.0, 8192.0}) {
        // The least noise that there is: 8 units of the last place, 9 with that of its own party.
        const double multiplier = 9 / kOne / std::sqrt(2.0 * kColumns);
        run_local(
            [&](Party& party) {
                const SharedStatistics got = column_statistics(
                    party, shared(party, x), {.bound = bound, .noise_multiplier = multiplier});
                double sums = 0, squares = 0;
                for (double sum : decode(open(party, got.sums))) sums += sum / kColumns;
                for (double sum : decode(open(party, got.square_sums))) squares += sum / kColumns;
                const double noise = 7 * 1.23 * 9 / kOne / std::sqrt(kColumns);
                EXPECT_LE(sums, 1 + 0x1p-13 + noise);
                EXPECT_LE(squares, 1 + 0x1p-13 + noise);
                EXPECT_NEAR(sums, 1, 0x1p-7);
            },
            {.security = security});
    }
}

TEST(Statistics, NoRowAddsMoreThanTheSensitivity) {
    expect_row_below_sensitivity(Security::kSemiHonest);
    expect_row_below_sensitivity(Security::kMalicious);
}

TEST(Statistics, PrivateOnesAreVerifiedAlike) {
    constexpr size_t kColumns = 300;
    const RingMatrix x = encode(std::vector<double>(2 * kColumns, 1.5), 2, kColumns, "x");
    const double multiplier = 0.01;
    run_local(
        [&](Party& party) {
            const auto got = statistics_of(
                party, x, {.bound = 2, .edges = {0, 1}, .noise_multiplier = multiplier});
            double sums = 0, counts = 0;
            for (const ColumnStatistics& column : got) {
                sums += std::pow(column.mean - 1.5, 2) / kColumns;  // two rows over a bound of two
                counts += std::pow(column.counts[2] - 2, 2) / kColumns;
            }
            const double expected = 1.5 * multiplier * multiplier * 3 * kColumns;
            EXPECT_NEAR(sums / expected, 1, 7 * std::sqrt(2.0 / kColumns));
            EXPECT_NEAR(counts / expected, 1, 7 * std::sqrt(2.0 / kColumns));
        },
        {.security = Security::kMalicious});
}

TEST(Statistics, RefusesWhatMakesNoSense) {
    const RingMatrix x = random_columns(4, 1, 1);
    const auto refused = [&](const StatisticsRequest& request, ErrorCode code,
                             const PartyOptions& options = {}) {
        std::string message;
        run_local(
            [&](Party& party) {
                const SharedMatrix own = shared(party, x);
                const std::string text = testonly::message_of(
                    [&] { (void)column_statistics(party, own, request); }, code);
                if (party.index() == 0) message = text;
            },
            options);
        return message;
    };
    EXPECT_THAT(refused({.bound = 0}, ErrorCode::kUsage), HasSubstr("bound of statistics"));
    EXPECT_THAT(refused({.edges = {1, 0}}, ErrorCode::kUsage), HasSubstr("edges must ascend"));
    EXPECT_THAT(refused({.quantiles = {1.5}}, ErrorCode::kUsage), HasSubstr("(0, 1], got 1.5"));
    EXPECT_THAT(refused({.quantiles = {0.5}, .noise_multiplier = 1}, ErrorCode::kUsage),
                HasSubstr("no private form"));
    EXPECT_THAT(refused({.noise_multiplier = 1}, ErrorCode::kUnsupported,
                        {.truncation = Truncation::kFast}),
                HasSubstr("fast truncation"));
}

}  // namespace
}  // namespace ward::mpc
