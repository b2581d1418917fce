#include "ward/dp/poisson_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/core/error.h"
#include "ward/core/testing/seeded_random.h"

namespace ward::dp {
namespace {

using testonly::seeded_random;

TEST(PoissonSampler, EachExampleIsDrawnAtTheRate) {
    // 2000 examples, 3000 batches at 0.05: each count is binomial(3000, 0.05); the chi-square of
    // 2000 cells has mean 2000 * 0.95 / 0.95 and deviation 63.2; six deviations above.
    const PoissonSampler sampler(100, 2000);
    EXPECT_DOUBLE_EQ(sampler.probability(), 0.05);
    Random random = seeded_random(10);
    std::vector<double> counts(2000);
    double sizes = 0, squares = 0;
    for (int i = 0; i < 3000; ++i) {
        const auto batch = sampler.sample(random);
        ASSERT_TRUE(std::is_sorted(batch.begin(), batch.end()));
        for (int64_t index : batch) counts[static_cast<size_t>(index)] += 1;
        const double size = static_cast<double>(batch.size());
        sizes += size;
        squares += size * size;
    }
    double chi = 0;
    for (double count : counts) chi += (count - 150) * (count - 150) / (150 * 0.95);
    EXPECT_NEAR(chi, 2000, 6 * 63.2);
    // Batch sizes are binomial(2000, 0.05), too: mean 100, variance 95.
    const double mean = sizes / 3000;
    EXPECT_NEAR(mean, 100, 6 * std::sqrt(95 / 3000.0));
    EXPECT_NEAR(squares / 3000 - mean * mean, 95, 6 * 95 * std::sqrt(2 / 3000.0));
}

TEST(PoissonSampler, TiesGoToTheLaterDigits) {
    // p = 2^-40 has a first digit of zero: every draw that is not zero misses, and the draws that
    // are zero are decided by later digits. p = 1 - 2^-40 has a first digit of 2^32 - 1: all but
    // one in 2^32 draws hit at once.
    Random random = seeded_random(11);
    EXPECT_TRUE(PoissonSampler(1, uint64_t{1} << 40, 200000).sample(random).empty());
    const uint64_t denominator = uint64_t{1} << 40;
    EXPECT_EQ(PoissonSampler(denominator - 1, denominator, 200000).sample(random).size(), 200000u);
}

TEST(PoissonSampler, TinyAndCertainRates) {
    Random random = seeded_random(12);
    // Mean 20 over 2e6 draws at 1e-5.
    const auto few = PoissonSampler(1, 100000, 2000000).sample(random);
    EXPECT_NEAR(static_cast<double>(few.size()), 20, 6 * std::sqrt(20.0));
    const auto all = PoissonSampler(7, 7).sample(random);
    EXPECT_EQ(all, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6}));
    EXPECT_TRUE(PoissonSampler(1, 2, 0).sample(random).empty());
}

TEST(PoissonSampler, BadRatesAreNamed) {
    EXPECT_THROW(PoissonSampler(0, 10), Error);
    EXPECT_THROW(PoissonSampler(11, 10), Error);
    EXPECT_THROW(PoissonSampler(-1, 10), Error);
    EXPECT_THROW(PoissonSampler(1, 0, 5), Error);
    EXPECT_THROW(PoissonSampler(1, 2, -1), Error);
}

}  // namespace
}  // namespace ward::dp
