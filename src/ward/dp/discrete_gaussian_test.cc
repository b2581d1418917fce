#include "ward/dp/discrete_gaussian.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "ward/core/cpu.h"
#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/dp/internal/dgauss_kernels.h"
#include "ward/dp/internal/double_double.h"

namespace ward::dp {
namespace {

using testonly::seeded_random;

// Quantile of chi-square with `df` degrees of freedom exceeded with probability 1e-6
// (Wilson and Hilferty 1931; for df >= 3 within 1 %, and 2 % are added).
double chi_square_limit(size_t df) {
    const double n = static_cast<double>(df);
    const double c = 2 / (9 * n);
    return 1.02 * n * std::pow(1 - c + 4.7534 * std::sqrt(c), 3);
}

// Compares counts with expected counts; cells that expect fewer than 10 are pooled.
void expect_fits(const std::vector<double>& counts, const std::vector<double>& expected,
                 const std::string& what) {
    double sum = 0, pooled_count = 0, pooled_expected = 0;
    size_t cells = 0;
    const auto add = [&](double count, double mean) {
        sum += (count - mean) * (count - mean) / mean;
        ++cells;
    };
    for (size_t i = 0; i < counts.size(); ++i) {
        if (expected[i] >= 10) {
            add(counts[i], expected[i]);
        } else {
            pooled_count += counts[i];
            pooled_expected += expected[i];
        }
    }
    if (pooled_expected >= 1) {
        add(pooled_count, pooled_expected);
    } else {
        EXPECT_LE(pooled_count, 20) << what;
    }
    ASSERT_GE(cells, 2u) << what;
    EXPECT_LT(sum, chi_square_limit(std::max<size_t>(3, cells - 1))) << what;
}

std::vector<int64_t> draw(double sigma, size_t count, uint64_t seed) {
    Random random = seeded_random(seed);
    std::vector<int64_t> values(count);
    DiscreteGaussian(sigma).sample_vartime(random, std::span<int64_t>(values));
    return values;
}

// Probability of first <= X < last.
double interval_mass(const DiscreteGaussian& law, int64_t first, int64_t last) {
    if (last - first <= 64) {
        double sum = 0;
        for (int64_t x = first; x < last; ++x) sum += std::exp(law.log_probability(x));
        return sum;
    }
    // sigma is large: sums are integrals, with half a unit of shift (error below 1e-9 relative).
    const double scale = std::sqrt(2.0) * law.sigma();
    const double low = (static_cast<double>(first) - 0.5) / scale;
    const double high = (static_cast<double>(last) - 0.5) / scale;
    if (low > 0) return (std::erfc(low) - std::erfc(high)) / 2;
    return (std::erf(high) - std::erf(low)) / 2;
}

void expect_law(double sigma, int64_t cell_width, size_t count, uint64_t seed) {
    const DiscreteGaussian law(sigma);
    const auto reach = static_cast<int64_t>(5.5 * sigma / static_cast<double>(cell_width)) + 2;
    std::vector<double> counts(static_cast<size_t>(2 * reach + 1)), expected(counts.size());
    double outside = 0, inside_mass = 0;
    const int64_t start = -reach * cell_width - cell_width / 2;
    for (size_t i = 0; i < counts.size(); ++i) {
        const int64_t first = start + static_cast<int64_t>(i) * cell_width;
        const double mass = interval_mass(law, first, first + cell_width);
        inside_mass += mass;
        expected[i] = mass * static_cast<double>(count);
    }
    for (int64_t x : draw(sigma, count, seed)) {
        const int64_t offset = x - start;
        const int64_t cell = offset >= 0 ? offset / cell_width : -1;
        if (cell >= 0 && cell < static_cast<int64_t>(counts.size())) {
            counts[static_cast<size_t>(cell)] += 1;
        } else {
            outside += 1;
        }
    }
    counts.push_back(outside);
    expected.push_back(std::max(0.0, 1 - inside_mass) * static_cast<double>(count));
    expect_fits(counts, expected,
                "sigma " + std::to_string(sigma) + " cell " + std::to_string(cell_width));
}

// Each expect_fits has a false-alarm rate of at most 1e-6; seeds are fixed.
TEST(DiscreteGaussian, SmallSigmasPointByPoint) {
    uint64_t seed = 100;
    for (double sigma : {0.3, 0.5, 0.8, 1.0, 2.0, 3.7, 10.0, 15.9, 31.9, 33.0, 100.5}) {
        expect_law(sigma, 1, 400000, seed++);
    }
}

TEST(DiscreteGaussian, TinySigmaIsNearlyAlwaysZero) {
    for (int64_t x : draw(0.05, 100000, 5)) ASSERT_EQ(x, 0);
    // P(|x| = 1) = 2 exp(-12.5) / (1 + 2 exp(-12.5)) = 7.45e-6 at sigma 0.2.
    int64_t ones = 0;
    for (int64_t x : draw(0.2, 2000000, 6)) ones += std::abs(x) == 1 ? 1 : 0;
    EXPECT_NEAR(static_cast<double>(ones), 14.9, 5 * std::sqrt(14.9));
}

TEST(DiscreteGaussian, LargeSigmasAtSeveralScales) {
    uint64_t seed = 200;
    for (double sigma : {1000.25, 0x1p16, 0x1p20 * 1.37, 0x1p24, 0x1p24 * 1.99, 0x1p25}) {
        // Cells coarser and finer than the bins of the sampler's table (sigma / 16 .. sigma / 32).
        const auto coarse = static_cast<int64_t>(sigma / 4);
        const auto fine = static_cast<int64_t>(sigma / 331);
        expect_law(sigma, coarse, 300000, seed++);
        expect_law(sigma, fine, 600000, seed++);
    }
}

TEST(DiscreteGaussian, HugeSigmaInSixtyFourBits) {
    expect_law(0x1p30, int64_t{1} << 22, 300000, 300);
    expect_law(0x1p28 * 1.5, int64_t{1} << 25, 300000, 301);
}

TEST(DiscreteGaussian, LowBitsAreUniformWhenSigmaIsLarge) {
    for (double sigma : {0x1p16, 0x1p20, 0x1p24, 0x1p30}) {
        std::vector<double> counts(256), expected(256, 400000 / 256.0);
        for (int64_t x : draw(sigma, 400000, 400)) counts[static_cast<size_t>(x & 255)] += 1;
        expect_fits(counts, expected, "low bits at sigma " + std::to_string(sigma));
    }
}

TEST(DiscreteGaussian, MomentsAndIndependenceOfNeighbours) {
    for (double sigma : {1.0, 1234.5, 0x1p22}) {
        const auto values = draw(sigma, 1000000, 500);
        double m1 = 0, m2 = 0, m4 = 0, lag = 0;
        for (size_t i = 0; i < values.size(); ++i) {
            const double z = static_cast<double>(values[i]) / sigma;
            m1 += z;
            m2 += z * z;
            m4 += z * z * z * z;
            if (i > 0) lag += z * static_cast<double>(values[i - 1]) / sigma;
        }
        const double n = static_cast<double>(values.size());
        // Six standard errors: false alarm 2e-9 each.
        EXPECT_NEAR(m1 / n, 0, 6 / std::sqrt(n)) << sigma;
        EXPECT_NEAR(m2 / n, 1, 6 * std::sqrt(2 / n)) << sigma;
        EXPECT_NEAR(m4 / n, 3, 6 * std::sqrt(96 / n)) << sigma;
        EXPECT_NEAR(lag / n, 0, 6 / std::sqrt(n)) << sigma;
    }
}

std::vector<std::pair<std::string, internal::DgaussKernel>> vector_kernels() {
    std::vector<std::pair<std::string, internal::DgaussKernel>> list;
    if (cpu_features().avx2) list.emplace_back("avx2", internal::dgauss_avx2);
    if (cpu_features().avx512) list.emplace_back("avx512", internal::dgauss_avx512);
    return list;
}

struct Output {
    std::vector<int32_t> values;
    uint64_t next;  // of the generator afterwards: the same words were consumed
};

Output run_kernel(internal::DgaussKernel kernel, const internal::DgaussTable& table,
                  uint64_t seed) {
    constexpr size_t kCandidates = 65536;
    Random words = seeded_random(seed);
    std::vector<uint32_t> candidates(2 * kCandidates);
    words.fill(std::span<uint32_t>(candidates));
    Output result{std::vector<int32_t>(kCandidates + 16), 0};
    const size_t count = kernel(table, candidates.data(), candidates.data() + kCandidates,
                                kCandidates, result.values.data(), words);
    result.values.resize(count);
    result.next = words.next_u64();
    return result;
}

TEST(DiscreteGaussian, AllInstructionSetsAgreeBitForBit) {
    for (double sigma : {0.05, 0.7, 20.0, 31.99, 1000.0, 0x1p16, 0x1p20 * 1.1, 0x1p24, 0x1p25}) {
        const auto table = internal::make_dgauss_table(sigma);
        const Output expected = run_kernel(internal::dgauss_scalar, table, 600);
        EXPECT_GT(expected.values.size(), sigma < 1 ? 20000u : 62000u) << sigma;
        for (const auto& [name, kernel] : vector_kernels()) {
            const Output got = run_kernel(kernel, table, 600);
            EXPECT_EQ(got.values, expected.values) << name << " " << sigma;
            EXPECT_EQ(got.next, expected.next) << name << " " << sigma;
        }
    }
}

// With the float decision switched off, double-double decides everything; both must agree on all
// candidates but the few that float leaves open (about 2 * 2^-19 + 2^-bits of u, of 65,536).
TEST(DiscreteGaussian, FloatDecisionsAreThoseOfDoubleDouble) {
    for (double sigma : {3.0, 40.0, 5000.0, 0x1p16 * 1.7, 0x1p24}) {
        const auto table = internal::make_dgauss_table(sigma);
        auto exact = table;
        exact.sure_accept = -std::numeric_limits<float>::infinity();
        exact.sure_reject = std::numeric_limits<float>::infinity();
        int disagreements = 0;
        Random words = seeded_random(700);
        std::vector<uint32_t> a(20000), b(20000);
        words.fill(std::span<uint32_t>(a));
        words.fill(std::span<uint32_t>(b));
        Random random = seeded_random(701);
        for (size_t i = 0; i < a.size(); ++i) {
            int32_t fast[17], slow[17];
            const size_t n_fast = internal::dgauss_scalar(table, &a[i], &b[i], 1, fast, random);
            const size_t n_slow = internal::dgauss_scalar(exact, &a[i], &b[i], 1, slow, random);
            disagreements += n_fast != n_slow ? 1 : 0;
            if (n_fast == 1 && n_slow == 1) {
                ASSERT_EQ(fast[0], slow[0]);
            }
        }
        const double open = 20000 * (0x1p-18 + static_cast<double>(table.u_unit));
        EXPECT_LE(disagreements, 5 + 2 * open) << sigma;
    }
}

// The whole law from double-double decisions alone.
TEST(DiscreteGaussian, ExactDecisionsGiveTheLawToo) {
    auto table = internal::make_dgauss_table(6.5);
    table.sure_accept = -std::numeric_limits<float>::infinity();
    table.sure_reject = std::numeric_limits<float>::infinity();
    const DiscreteGaussian law(6.5);
    const auto values = run_kernel(internal::dgauss_scalar, table, 800).values;
    std::vector<double> counts(61), expected(61);
    for (int32_t x : values) {
        if (std::abs(x) <= 30) counts[static_cast<size_t>(x + 30)] += 1;
    }
    for (int x = -30; x <= 30; ++x) {
        expected[static_cast<size_t>(x + 30)] =
            std::exp(law.log_probability(x)) * static_cast<double>(values.size());
    }
    expect_fits(counts, expected, "double-double decisions");
}

TEST(DiscreteGaussian, TableIsAnEnvelopeAndItsAliasIsExact) {
    for (double sigma : {0.001, 0.05, 1.0, 31.0, 32.0, 777.0, 0x1p20, 0x1p30}) {
        const auto table = internal::make_dgauss_table(sigma);
        std::vector<uint64_t> drawn(internal::kDgaussCells);
        uint64_t total = 0;
        for (uint32_t i = 0; i < internal::kDgaussCells; ++i) {
            const uint32_t keep = table.alias[i] >> 16;
            drawn[i] += keep;
            drawn[table.alias[i] & 0xffff] += 65536 - keep;
            total += table.weight[i];
            EXPECT_LE(table.height[i], 1.0f) << sigma << " " << i;
        }
        EXPECT_EQ(total, uint64_t{1} << 26);
        for (uint32_t i = 0; i < internal::kDgaussCells; ++i) {
            ASSERT_EQ(drawn[i], table.weight[i]) << sigma << " " << i;
        }
        const DiscreteGaussian law(sigma);
        EXPECT_LE(law.tail_mass(), 0x1p-730);
        EXPECT_GT(law.tail_mass(), 0);
        EXPECT_LE(law.relative_error(), 0x1p-90);
    }
}

TEST(DiscreteGaussian, DoubleDoubleExponential) {
    using internal::DoubleDouble;
    using internal::exp_double_double;
    // exp(-1) to 40 digits: 0.3678794411714423215955237701614608674458.
    const DoubleDouble e1 = exp_double_double({-1, 0});
    EXPECT_EQ(e1.high, 0.36787944117144233);
    EXPECT_NEAR(
        e1.low,
        0.3678794411714423215955237701614608674458L - static_cast<long double>(0.36787944117144233),
        1e-19);
    for (double x : {-0.01, -0.5, -3.25, -47.0, -300.5}) {
        const DoubleDouble whole = exp_double_double({x, 0});
        const DoubleDouble half = exp_double_double({x / 2, 0});
        const DoubleDouble square = half * half;
        const double difference = (square.high - whole.high) + (square.low - whole.low);
        EXPECT_LT(std::abs(difference), 0x1p-96 * whole.high) << x;
    }
}

TEST(DiscreteGaussian, ProbabilitiesSumToOne) {
    for (double sigma : {0.05, 0.4, 1.0, 1.99, 2.01, 17.0}) {
        const DiscreteGaussian law(sigma);
        double sum = 0;
        for (int64_t x = -400; x <= 400; ++x) sum += std::exp(law.log_probability(x));
        EXPECT_NEAR(sum, 1, 1e-12) << sigma;
    }
}

TEST(DiscreteGaussian, BothWidthsAndAllThreadCountsAgree) {
    const DiscreteGaussian law(0x1p20);
    std::vector<int32_t> narrow(5000);
    std::vector<int64_t> wide(5000);
    Random first = seeded_random(900), second = seeded_random(900);
    law.sample_vartime(first, std::span<int32_t>(narrow));
    law.sample_vartime(second, std::span<int64_t>(wide));
    EXPECT_TRUE(std::equal(narrow.begin(), narrow.end(), wide.begin()));
    EXPECT_EQ(first.next_u64(), second.next_u64());

    const int threads = num_threads();
    std::vector<int32_t> one(200000), four(200000);
    set_num_threads(1);
    first = seeded_random(901);
    law.sample_parallel_vartime(first, std::span<int32_t>(one));
    set_num_threads(4);
    second = seeded_random(901);
    law.sample_parallel_vartime(second, std::span<int32_t>(four));
    set_num_threads(threads);
    EXPECT_EQ(one, four);
}

TEST(DiscreteGaussian, EveryLengthIsFilled) {
    const DiscreteGaussian law(1e6);
    for (size_t length : {0u, 1u, 15u, 16u, 17u, 2047u, 2064u, 5001u}) {
        Random random = seeded_random(950 + length);
        constexpr int32_t kUntouched = std::numeric_limits<int32_t>::min();  // never a sample
        std::vector<int32_t> values(length, kUntouched);
        law.sample_vartime(random, std::span<int32_t>(values));
        EXPECT_EQ(std::count(values.begin(), values.end(), kUntouched), 0) << length;
    }
}

TEST(DiscreteGaussian, SigmasOutOfRangeAreNamed) {
    for (double sigma : {0.0, -1.0, std::nan(""), 0x1p31, HUGE_VAL}) {
        EXPECT_THROW(DiscreteGaussian{sigma}, Error) << sigma;
    }
    std::vector<int32_t> values(3);
    Random random = seeded_random(1);
    try {
        DiscreteGaussian(0x1p27).sample_vartime(random, std::span<int32_t>(values));
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.message(), ::testing::HasSubstr("at most 2^25 for 32-bit samples"));
    }
}

}  // namespace
}  // namespace ward::dp
