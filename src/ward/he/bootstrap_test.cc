#include "ward/he/bootstrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/internal/embedding.h"
#include "ward/he/internal/fourier_factors.h"
#include "ward/he/internal/ntt.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;
using Complex = std::complex<double>;

std::vector<Complex> applied(const std::vector<internal::SparseDiagonals>& factors,
                             std::vector<Complex> x) {
    for (const auto& factor : factors) {
        std::vector<Complex> y(x.size());
        for (const auto& [k, places] : factor) {
            for (size_t i = 0; i < x.size(); ++i) {
                y[i] += places[i] * x[(i + static_cast<size_t>(k)) % x.size()];
            }
        }
        x = y;
    }
    return x;
}

TEST(FourierFactors, AreTheEmbeddingUpToTheOrder) {
    Random random = seeded_random(1);
    for (int groups : {1, 2, 3}) {
        const int log_slots = 5, n = 32;
        std::vector<double> re, im;
        std::vector<Complex> x;
        for (int i = 0; i < n; ++i) {
            re.push_back(random.uniform01());
            im.push_back(random.uniform01());
            x.emplace_back(re.back(), im.back());
        }
        internal::Embedding(log_slots).to_coefficients(re, im);
        const auto got = applied(internal::slots_to_coefficients_factors(log_slots, groups, 3), x);
        for (int i = 0; i < n; ++i) {
            const auto j = internal::reverse_bits(static_cast<uint64_t>(i), log_slots);
            EXPECT_NEAR(std::abs(got[i] - 3.0 * Complex(re[j], im[j])), 0, 1e-12);
        }
        const auto back =
            applied(internal::coefficients_to_slots_factors(log_slots, groups, 1.0 / 3), got);
        for (int i = 0; i < n; ++i) EXPECT_NEAR(std::abs(back[i] - x[i]), 0, 1e-12);
    }
}

struct World {
    World(int log_degree, int log_slots)
        : random(seeded_random(5)),
          plan(plan_bootstrap({.levels = 2, .log_slots = log_slots, .log_degree = log_degree})),
          context(Context::create_insecure(plan.parameters)),
          secret(SecretKey::generate(context, random)),
          keys(BootstrapKeys::generate(secret, plan, random)),
          encoder(context),
          evaluator(context),
          bootstrapper(context, plan) {}

    std::vector<Complex> random_values(int count) {
        std::vector<Complex> out;
        for (int i = 0; i < count; ++i) {
            out.emplace_back(1.4 * random.uniform01() - 0.7, 1.4 * random.uniform01() - 0.7);
        }
        return out;
    }
    Ciphertext encrypted(const std::vector<Complex>& values, int level) {
        const EncodeOptions options{.bound = 1.0, .slots = static_cast<int>(values.size())};
        return evaluator.drop_to_level(encrypt(secret, encoder.encode(values, options), random),
                                       level);
    }
    double largest_error(const Ciphertext& c, const std::vector<Complex>& expected) {
        const auto got = encoder.decode_complex(decrypt_for_owner(secret, c));
        double largest = 0;
        for (size_t i = 0; i < got.size(); ++i) {
            largest = std::max(largest, std::abs(got[i] - expected[i % expected.size()]));
        }
        return largest;
    }

    Random random;
    BootstrapPlan plan;
    ContextPtr context;
    SecretKey secret;
    BootstrapKeys keys;
    CkksEncoder encoder;
    CkksEvaluator evaluator;
    Bootstrapper bootstrapper;
};

TEST(Bootstrap, GivesLevelsBack) {
    World w(9, 8);  // all slots
    auto values = w.random_values(256);
    Ciphertext x = w.encrypted(values, 0);
    for (int round = 0; round < 2; ++round) {
        x = w.bootstrapper.refresh(x, w.keys);
        EXPECT_EQ(x.level(), 2);
        const double error = w.largest_error(x, values);
        EXPECT_LT(error, 1e-5);
        EXPECT_LE(error, x.error_bound());
        EXPECT_LT(x.error_bound(), 1.0);
        EXPECT_NEAR(std::log2(x.scale()), 44, 1e-3);
        // The levels can be used: halve, and go on until none is left.
        while (x.level() > 0) {
            x = w.evaluator.rescale(w.evaluator.multiply(x, -1.0));
            for (Complex& v : values) v = -v;
        }
    }
}

TEST(Bootstrap, FewSlotsTakeFewRotations) {
    World w(10, 5);
    const auto values = w.random_values(32);
    const Ciphertext x = w.bootstrapper.refresh(w.encrypted(values, 1), w.keys);
    const double error = w.largest_error(x, values);
    EXPECT_LT(error, 1e-5);
    EXPECT_LE(error, x.error_bound());
    const auto half = w.random_values(16);
    const Ciphertext y = w.bootstrapper.refresh(w.encrypted(half, 0), w.keys);
    EXPECT_LT(w.largest_error(y, half), 1e-5);
}

TEST(Bootstrap, ConstantsAreTheHardestMessages) {  // all in one coefficient
    World w(9, 4);
    const std::vector<Complex> values(16, Complex(0.98, 0));
    const Ciphertext x = w.bootstrapper.refresh(w.encrypted(values, 0), w.keys);
    const double error = w.largest_error(x, values);
    EXPECT_LE(error, x.error_bound());
    EXPECT_LT(error, 2e-4);
}

TEST(Bootstrap, RefusesWhatDoesNotFit) {
    World w(9, 4);
    EXPECT_THAT(any_message_of(
                    [&] { w.bootstrapper.refresh(w.encrypted(w.random_values(32), 0), w.keys); }),
                HasSubstr("for 16 slots, got 32"));
    const Ciphertext large = encrypt(
        w.secret, w.encoder.encode(std::vector<double>(16, 30.0), {.bound = 40, .slots = 16}),
        w.random);
    EXPECT_THAT(any_message_of([&] { w.bootstrapper.refresh(large, w.keys); }),
                HasSubstr("too large to be refreshed"));
    EXPECT_THAT(any_message_of([] { plan_bootstrap({.levels = 0}); }),
                HasSubstr("levels of 1..20"));
    EXPECT_THAT(any_message_of([] { plan_bootstrap({.log_slots = 12, .log_degree = 15}); }),
                HasSubstr("more bits than"));
    const BootstrapPlan other = plan_bootstrap({.levels = 3, .log_slots = 4, .log_degree = 9});
    EXPECT_THAT(any_message_of([&] { Bootstrapper(w.context, other); }),
                HasSubstr("other parameters"));
    EXPECT_THAT(any_message_of([&] { BootstrapKeys::generate(w.secret, other, w.random); }),
                HasSubstr("other parameters"));
    // The plan for real use is a secure one.
    EXPECT_NO_THROW(Context::create(plan_bootstrap({.levels = 8, .log_slots = 15}).parameters));
}

}  // namespace
}  // namespace ward::he
