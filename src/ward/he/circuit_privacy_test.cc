#include "ward/he/circuit_privacy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/bfv.h"
#include "ward/he/ckks.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/testing/small_parameters.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using testonly::small_bfv;
using testonly::small_ckks;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;

struct Owner {
    explicit Owner(const Parameters& parameters, int seed = 1)
        : random(seeded_random(seed)),
          context(Context::create_insecure(parameters)),
          secret(SecretKey::generate(context, random)),
          key(PublicKey::generate(secret, random)) {}

    Random random;
    ContextPtr context;
    SecretKey secret;
    PublicKey key;
};

struct CkksOwner : Owner {
    CkksOwner() : Owner(small_ckks(8, 1, 48)), encoder(context), evaluator(context) {}

    Ciphertext encrypted(double value) {
        return encrypt(secret, encoder.encode(std::vector<double>(128, value), {.bound = 1}),
                       random);
    }
    double mean_square_error(const Ciphertext& c, double value) const {
        double sum = 0;
        for (double x : encoder.decode(decrypt_for_owner(secret, c))) {
            sum += (x - value) * (x - value);
        }
        return sum / 128;
    }

    CkksEncoder encoder;
    CkksEvaluator evaluator;
};

TEST(CircuitPrivacy, KeepsTheValueWithinItsBound) {
    CkksOwner o;
    const Ciphertext c = o.encrypted(0.5);
    const Ciphertext hidden = hide_computation(o.key, c, o.random, {.bits = 10});
    EXPECT_GT(hidden.error_bound(), 1024 * c.error_bound());
    EXPECT_LT(std::sqrt(o.mean_square_error(hidden, 0.5)), hidden.error_bound());
    EXPECT_EQ(hidden.level(), c.level());
    EXPECT_EQ(hidden.scale(), c.scale());
}

// 0.5 as it is, and as 0.25 + 0.25 with the same error twice: the errors differ by a factor, those
// of the results do not, and both polynomials are new.
TEST(CircuitPrivacy, ErrorsAreThoseOfTheNoiseAlone) {
    CkksOwner o;
    const Ciphertext quarter = o.encrypted(0.25), half = o.encrypted(0.5);
    const Ciphertext sum = o.evaluator.add(quarter, quarter);
    constexpr int kTimes = 60;
    double direct = 0, summed = 0;
    for (int i = 0; i < kTimes; ++i) {
        direct += o.mean_square_error(hide_computation(o.key, half, o.random, {.bits = 10}), 0.5);
        summed += o.mean_square_error(hide_computation(o.key, sum, o.random, {.bits = 10}), 0.5);
    }
    EXPECT_GT(o.mean_square_error(sum, 0.5) / o.mean_square_error(half, 0.5), 1.5);
    // 60 x 128 squares of Gaussians, half of which are independent: within 10 %, at 4 sigma. Bounds
    // are rounded up to powers of two, so that noises may differ by that.
    const double ratio = summed / direct;
    EXPECT_NEAR(std::log2(ratio) / 2, std::round(std::log2(ratio) / 2), 0.1) << ratio;
    const Ciphertext a = hide_computation(o.key, half, o.random);
    for (size_t part = 0; part < 2; ++part) {
        EXPECT_NE(a.body().parts[part].limb(0)[0], half.body().parts[part].limb(0)[0]);
    }
}

TEST(CircuitPrivacy, TheMeanOfManyIsTheValue) {
    CkksOwner o;
    const Ciphertext c = o.encrypted(0.5);
    double sum = 0, error = 0;
    for (int i = 0; i < 50; ++i) {
        const Ciphertext hidden = hide_computation(o.key, c, o.random, {.bits = 12});
        error = hidden.error_bound();
        for (double x : o.encoder.decode(decrypt_for_owner(o.secret, hidden))) sum += x;
    }
    EXPECT_NEAR(sum / (50 * 128), 0.5, error / std::sqrt(50 * 128.0));
}

TEST(CircuitPrivacy, BfvResultsStayExact) {
    Owner o(small_bfv(8, 2));
    const BfvEncoder encoder(o.context);
    const BfvEvaluator evaluator(o.context);
    const std::vector<int64_t> values = {1, -2, 30};
    const Ciphertext c = evaluator.multiply(encrypt(o.key, encoder.encode(values), o.random),
                                            encoder.encode(std::vector<int64_t>(256, 7)));
    const Ciphertext hidden = hide_computation(o.key, c, o.random, {.bits = 8});
    EXPECT_LT(hidden.noise_budget_bound(), c.noise_budget_bound() - 8);
    EXPECT_GT(noise_budget(o.secret, hidden), 0);
    EXPECT_LT(noise_budget(o.secret, hidden), noise_budget(o.secret, c) - 8);
    const auto got = encoder.decode(decrypt_for_owner(o.secret, hidden));
    EXPECT_EQ(got[0], 7);
    EXPECT_EQ(got[1], -14);
    EXPECT_EQ(got[2], 210);
}

TEST(CircuitPrivacy, RefusesWhatHasNoRoom) {
    CkksOwner o;
    EXPECT_THAT(
        any_message_of([&] { hide_computation(o.key, o.encrypted(1), o.random, {.bits = 45}); }),
        HasSubstr("would drown the values"));
    EXPECT_THAT(
        any_message_of([&] { hide_computation(o.key, o.encrypted(1), o.random, {.bits = 0}); }),
        HasSubstr("flooding bits must be 1..60, got 0"));
    Owner other(small_ckks(9, 1, 48), 2);
    EXPECT_THAT(any_message_of([&] { hide_computation(other.key, o.encrypted(1), o.random); }),
                HasSubstr("parameters"));
    Owner exact(small_bfv(8, 1), 3);
    const BfvEncoder encoder(exact.context);
    const Ciphertext c = encrypt(exact.key, encoder.encode(std::vector<int64_t>{1}), exact.random);
    EXPECT_THAT(any_message_of([&] { hide_computation(exact.key, c, exact.random, {.bits = 30}); }),
                HasSubstr("would drown the values"));
    Owner deep(small_bfv(8, 4), 4);
    const Ciphertext x =
        encrypt(deep.key, BfvEncoder(deep.context).encode(std::vector<int64_t>{1}), deep.random);
    const Ciphertext square = BfvEvaluator(deep.context).multiply(x, x);
    EXPECT_THAT(any_message_of([&] { hide_computation(deep.key, square, deep.random); }),
                HasSubstr("expected a ciphertext of 2 polynomials"));
}

}  // namespace
}  // namespace ward::he
