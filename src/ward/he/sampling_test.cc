#include "ward/he/internal/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <thread>
#include <vector>

#include "ward/core/testing/seeded_random.h"
#include "ward/he/internal/base_conversion.h"
#include "ward/he/internal/embedding.h"
#include "ward/he/internal/loops.h"
#include "ward/he/internal/noise.h"
#include "ward/he/internal/ntt.h"

namespace ward::he::internal {
namespace {

using testonly::seeded_random;

// The sum of (observed - expected)^2 / expected is below mean + 6 standard deviations of chi
// squared: a false alarm in fewer than one of 10^6 seeds, and the seed is fixed.
void expect_chi_squared(const std::vector<double>& observed, const std::vector<double>& expected) {
    double sum = 0;
    for (size_t i = 0; i < observed.size(); ++i) {
        sum += (observed[i] - expected[i]) * (observed[i] - expected[i]) / expected[i];
    }
    const double degrees = static_cast<double>(observed.size() - 1);
    EXPECT_LT(sum, degrees + 6 * std::sqrt(2 * degrees));
}

TEST(Sampling, TernaryIsUniform) {
    Random random = seeded_random(1);
    constexpr size_t n = 1 << 17;
    const SmallPoly poly = sample_ternary(random, n);
    std::vector<double> counts(3, 0);
    for (int64_t x : poly.values()) {
        ASSERT_TRUE(x >= -1 && x <= 1);
        counts[static_cast<size_t>(x + 1)] += 1;
    }
    expect_chi_squared(counts, std::vector<double>(3, n / 3.0));
}

TEST(Sampling, ErrorsAreTheDiscreteGaussian) {
    Random random = seeded_random(2);
    constexpr size_t n = 1 << 18;
    const SmallPoly poly = sample_error(random, n);
    constexpr int kRange = 12;  // what is beyond is counted together
    double total = 0;
    for (int k = -40; k <= 40; ++k) total += std::exp(-k * k / (2 * kErrorSigma * kErrorSigma));
    std::vector<double> observed(2 * kRange + 2, 0), expected(2 * kRange + 2, 0);
    for (int k = -40; k <= 40; ++k) {
        const size_t cell =
            std::abs(k) <= kRange ? static_cast<size_t>(k + kRange) : 2 * kRange + 1;
        expected[cell] += n * std::exp(-k * k / (2 * kErrorSigma * kErrorSigma)) / total;
    }
    for (int64_t x : poly.values()) {
        ASSERT_LE(std::abs(x), kErrorCut);
        const size_t cell =
            std::abs(x) <= kRange ? static_cast<size_t>(x + kRange) : 2 * kRange + 1;
        observed[cell] += 1;
    }
    expect_chi_squared(observed, expected);
}

TEST(Sampling, WideErrorsHaveTheirSigma) {
    Random random = seeded_random(3);
    for (double wanted : {1.0, 100.0, 1e9}) {
        double sigma = wanted;
        const SmallPoly poly = sample_wide_error(random, 1 << 14, sigma);
        EXPECT_GE(sigma, wanted);
        EXPECT_LE(sigma, std::max(3.3, 3 * wanted));
        double squares = 0, mean = 0;
        for (int64_t x : poly.values()) {
            squares += static_cast<double>(x) * static_cast<double>(x);
            mean += static_cast<double>(x);
        }
        const double n = 1 << 14;
        EXPECT_NEAR(std::sqrt(squares / n) / sigma, 1, 6 / std::sqrt(2 * n));
        EXPECT_LT(std::abs(mean / n), 6 * sigma / std::sqrt(n));
    }
}

TEST(Sampling, UniformRowsFillTheirRange) {
    PublicSeed seed{};
    seed[3] = 9;
    constexpr size_t n = 1 << 15;
    for (uint64_t q : {uint64_t{97}, (uint64_t{1} << 40) + (uint64_t{1} << 39) + 1}) {
        const Modulus modulus(q);
        std::vector<uint64_t> a(n), b(n), other(n);
        sample_uniform(seed, 5, modulus, a.data(), n);
        sample_uniform(seed, 5, modulus, b.data(), n);
        sample_uniform(seed, 6, modulus, other.data(), n);
        EXPECT_EQ(a, b);
        EXPECT_NE(a, other);
        std::vector<double> cells(16, 0), expected(16, 0);
        for (uint64_t x : a) {
            ASSERT_LT(x, q);
            cells[static_cast<size_t>(static_cast<double>(x) / static_cast<double>(q) * 16)] += 1;
        }
        for (uint64_t c = 0; c < 16; ++c) {  // cells of 97 are not equal
            double low = std::ceil(static_cast<double>(c * q) / 16);
            double high = std::ceil(static_cast<double>((c + 1) * q) / 16);
            expected[c] = n * (high - low) / static_cast<double>(q);
        }
        expect_chi_squared(cells, expected);
    }
}

// A whole residue system of three small primes: every number, against division.
TEST(BaseConversion, IsExactForEveryNumber) {
    const std::vector<Modulus> from{Modulus(97), Modulus(193), Modulus(257)};
    const std::vector<Modulus> to{Modulus(769), Modulus((uint64_t{1} << 49) - 1)};
    const int64_t product = 97 * 193 * 257;
    const BaseConversion conversion(from, to);
    const size_t n = static_cast<size_t>(product) / 8 * 8;
    std::vector<std::vector<uint64_t>> in(3, std::vector<uint64_t>(n)), out = in;
    for (size_t x = 0; x < n; ++x) {
        for (size_t i = 0; i < 3; ++i) in[i][x] = x % from[i].value();
    }
    const uint64_t* inputs[] = {in[0].data(), in[1].data(), in[2].data()};
    uint64_t* outputs[] = {out[0].data(), out[1].data()};
    const size_t rounded = n / 512 * 512;  // whole pieces
    conversion.convert(inputs, rounded, outputs);
    for (size_t x = 0; x < rounded; ++x) {
        const auto number = static_cast<int64_t>(x);
        const int64_t centred = number > product / 2 ? number - product : number;
        for (size_t t = 0; t < 2; ++t) {
            ASSERT_EQ(out[t][x], to[t].reduce_signed(centred)) << x;
        }
    }
}

TEST(BaseConversion, OnePrimeIsCentred) {
    const std::vector<Modulus> from{Modulus(97)}, to{Modulus(31)};
    const BaseConversion conversion(from, to);
    std::vector<uint64_t> in(96), out(96);
    for (size_t x = 0; x < 96; ++x) in[x] = x;
    const uint64_t* inputs[] = {in.data()};
    uint64_t* outputs[] = {out.data()};
    conversion.convert(inputs, 96, outputs);
    for (int64_t x = 0; x < 96; ++x) {
        EXPECT_EQ(out[x], to[0].reduce_signed(x > 48 ? x - 97 : x));
    }
}

TEST(Embedding, EvaluatesAtTheRoots) {
    constexpr int kLog = 3;
    constexpr size_t n = 8;
    const Embedding embedding(kLog);
    Random random = seeded_random(4);
    std::vector<double> low(n), high(n);
    for (size_t i = 0; i < n; ++i) {
        low[i] = random.uniform01();
        high[i] = random.uniform01();
    }
    std::vector<double> re = low, im = high;
    embedding.to_slots(re, im);
    size_t power = 1;
    for (size_t j = 0; j < n; ++j, power = power * 5 % (4 * n)) {
        double x = 0, y = 0;
        for (size_t i = 0; i < 2 * n; ++i) {
            const double angle = 2 * M_PI * static_cast<double>(power * i) / (4 * n);
            const double c = i < n ? low[i] : high[i - n];
            x += c * std::cos(angle);
            y += c * std::sin(angle);
        }
        EXPECT_NEAR(re[j], x, 1e-12);
        EXPECT_NEAR(im[j], y, 1e-12);
    }
    embedding.to_coefficients(re, im);
    for (size_t i = 0; i < n; ++i) {
        EXPECT_NEAR(re[i], low[i], 1e-14);
        EXPECT_NEAR(im[i], high[i], 1e-14);
    }
}

TEST(Buffer, CopiesAndMoves) {
    Buffer a(100);
    for (size_t i = 0; i < 100; ++i) a[i] = i;
    Buffer b = a, c = std::move(a);
    EXPECT_EQ(a.data(), nullptr);
    b[7] = 1000;
    EXPECT_EQ(c[7], 7u);
    c = b;
    EXPECT_EQ(c[7], 1000u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(c.data()) % 64, 0u);
}

// In a thread of its own, whose cache of blocks is empty.
void expect_reuse() {
    std::set<const uint64_t*> places;
    for (int i = 0; i < 50; ++i) places.insert(Buffer(5000).data());
    EXPECT_EQ(places.size(), 1u);
    // What was secret is zero when the memory comes back.
    const uint64_t* place = nullptr;
    {
        Buffer secret(7777);
        secret.secret();
        for (size_t i = 0; i < 7777; ++i) secret[i] = ~uint64_t{0};
        place = secret.data();
    }
    const Buffer again(7777);
    ASSERT_EQ(again.data(), place);
    for (size_t i = 0; i < 7777; ++i) ASSERT_EQ(again[i], 0u);
}

TEST(Buffer, IsReusedAndWiped) { std::thread(expect_reuse).join(); }

}  // namespace
}  // namespace ward::he::internal
