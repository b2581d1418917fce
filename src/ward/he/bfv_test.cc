#include "ward/he/bfv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/internal/bfv_scaling.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/testing/small_parameters.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using testonly::small_bfv;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;
using Integers = std::vector<int64_t>;

struct World {
    explicit World(const Parameters& p, uint64_t seed = 1, bool secure = false)
        : random(seeded_random(seed)),
          context(secure ? Context::create(p) : Context::create_insecure(p)),
          t(static_cast<int64_t>(p.plaintext_modulus)),
          secret(SecretKey::generate(context, random)),
          key(PublicKey::generate(secret, random)),
          relin(RelinKey::generate(secret, random)),
          encoder(context),
          evaluator(context) {}

    Integers random_integers() {
        Integers out(context->slots());
        for (int64_t& x : out) x = centred(static_cast<int64_t>(random.below(t)));
        return out;
    }
    int64_t centred(int64_t x) const {
        x = (x % t + t) % t;
        return x > t / 2 ? x - t : x;
    }
    template <typename F>
    Integers map(const Integers& a, const Integers& b, F f) const {
        Integers out(a.size());
        for (size_t i = 0; i < a.size(); ++i) out[i] = centred(f(a[i], b[i]));
        return out;
    }
    Ciphertext encrypted(const Integers& values) {
        return encrypt(key, encoder.encode(values), random);
    }
    // Right, and the measured noise is within the carried bound.
    void expect(const Ciphertext& c, const Integers& expected) {
        EXPECT_EQ(encoder.decode(decrypt_for_owner(secret, c)), expected);
        EXPECT_GE(noise_budget(secret, c), c.noise_budget_bound());
    }

    Random random;
    ContextPtr context;
    int64_t t;
    SecretKey secret;
    PublicKey key;
    RelinKey relin;
    BfvEncoder encoder;
    BfvEvaluator evaluator;
};

TEST(BfvEncoder, ProductOfEncodingsIsSlotwise) {
    World w(small_bfv(5, 3));
    const Integers a = w.random_integers(), b = w.random_integers();
    EXPECT_EQ(w.encoder.decode(w.encoder.encode(a)), a);
    w.expect(w.evaluator.multiply(w.encrypted(a), w.encoder.encode(b)),
             w.map(a, b, [](int64_t x, int64_t y) { return x * y; }));
    EXPECT_THAT(any_message_of([&] { w.encoder.encode(Integers{w.t}); }), HasSubstr("within"));
    EXPECT_THAT(any_message_of([&] { w.encoder.encode(Integers(33)); }), HasSubstr("at most 32"));
}

TEST(Bfv, EncryptsWithBothKeysAtManySizes) {
    for (int log_degree : {5, 8, 12}) {
        for (int bits : {16, 17, 30}) {
            World w(small_bfv(log_degree, 3, bits));
            const Integers a = w.random_integers();
            w.expect(w.encrypted(a), a);
            w.expect(encrypt(w.secret, w.encoder.encode(a), w.random), a);
        }
    }
}

// Known noise: a trivial ciphertext of the message has none but the rounding.
TEST(Bfv, ScalingRoundsToTheNearest) {
    World w(small_bfv(5, 3));
    const internal::Ring& ring = w.context->ring();
    const Integers a = w.random_integers();
    const Plaintext message = w.encoder.encode(a);
    internal::Poly phase = internal::scale_up(ring, message.body().poly, 3);
    for (size_t i = 0; i < 3; ++i) {
        internal::kernels().ntt_inverse(ring.table(i), phase.limb(i), phase.limb(i));
    }
    // The rounding error is below 1/2, so the noise below t/2Q.
    const double least = ring.log2_data(3) - std::log2(static_cast<double>(w.t));
    EXPECT_GE(internal::noise_budget_of_phase(ring, phase), least - 1e-6);
    EXPECT_LE(internal::noise_budget_of_phase(ring, phase), least + 5);
    const internal::Poly back = internal::scale_down(ring, phase);
    for (size_t i = 0; i < ring.degree(); ++i) {
        EXPECT_EQ(back.limb(0)[i], message.body().poly.limb(0)[i]);
    }
}

TEST(Bfv, SumsAndDifferences) {
    World w(small_bfv(6, 2));
    const Integers a = w.random_integers(), b = w.random_integers();
    const Ciphertext x = w.encrypted(a), y = w.encrypted(b);
    const auto plus = w.map(a, b, [](int64_t p, int64_t q) { return p + q; });
    const auto minus = w.map(a, b, [](int64_t p, int64_t q) { return p - q; });
    w.expect(w.evaluator.add(x, y), plus);
    w.expect(w.evaluator.subtract(x, y), minus);
    w.expect(w.evaluator.add(x, w.encoder.encode(b)), plus);
    w.expect(w.evaluator.subtract(x, w.encoder.encode(b)), minus);
    w.expect(w.evaluator.negate(x), w.map(a, b, [](int64_t p, int64_t) { return -p; }));
}

TEST(Bfv, MultipliesUntilTheBudgetIsSpent) {
    for (int digit_primes : {1, 2, 4}) {
        World w(small_bfv(6, 4, 17, digit_primes));
        Integers a = w.random_integers();
        const Integers b = w.random_integers();
        Ciphertext x = w.encrypted(a);
        const Ciphertext y = w.encrypted(b);
        int depth = 0;
        for (; x.noise_budget_bound() > 40; ++depth) {
            x = depth % 2 == 0 ? w.evaluator.multiply(x, y, w.relin)
                               : w.evaluator.multiply(x, x, w.relin);
            a = w.map(a, depth % 2 == 0 ? b : a, [](int64_t p, int64_t q) { return p * q; });
            w.expect(x, a);
        }
        EXPECT_GE(depth, 3);
        const std::string end = any_message_of([&] {
            for (int i = 0; i < 10; ++i) x = w.evaluator.multiply(x, x, w.relin);
        });
        EXPECT_THAT(end, HasSubstr("over its budget"));
    }
}

TEST(Bfv, ThreePartProductsDecrypt) {
    World w(small_bfv(6, 3));
    const Integers a = w.random_integers();
    const Ciphertext x = w.encrypted(a);
    const Ciphertext square = w.evaluator.multiply(x, x);
    EXPECT_EQ(square.size(), 3);
    const auto squares = w.map(a, a, [](int64_t p, int64_t q) { return p * q; });
    w.expect(square, squares);
    w.expect(w.evaluator.switch_to_level(square, 1), squares);
    EXPECT_THAT(any_message_of([&] { w.evaluator.multiply(square, x); }),
                HasSubstr("of 2 polynomials"));
}

TEST(Bfv, RotatesRowsAndColumns) {
    for (int digit_primes : {1, 3}) {
        World w(small_bfv(6, 3, 17, digit_primes));
        const auto keys = GaloisKeys::generate(w.secret, std::vector<int>{1, -7}, true, w.random);
        const Integers a = w.random_integers();
        const Ciphertext x = w.encrypted(a);
        for (int steps : {1, -7}) {
            Integers expected(64);
            for (int i = 0; i < 64; ++i) {
                expected[i] = a[i / 32 * 32 + (i % 32 + steps + 32) % 32];
            }
            w.expect(w.evaluator.rotate_rows(x, steps, keys), expected);
        }
        Integers exchanged(64);
        for (int i = 0; i < 64; ++i) exchanged[i] = a[(i + 32) % 64];
        w.expect(w.evaluator.rotate_columns(x, keys), exchanged);
        w.expect(w.evaluator.rotate_columns(w.evaluator.switch_to_level(x, 1), keys), exchanged);
    }
}

TEST(Bfv, SwitchesModuliAndMixesLevels) {
    World w(small_bfv(6, 4));
    const Integers a = w.random_integers(), b = w.random_integers();
    const Ciphertext x = w.encrypted(a), y = w.encrypted(b);
    for (int level = 3; level >= 0; --level) {
        w.expect(w.evaluator.switch_to_level(x, level), a);
    }
    const Ciphertext low = w.evaluator.switch_to_level(y, 2);
    w.expect(w.evaluator.multiply(x, low, w.relin),
             w.map(a, b, [](int64_t p, int64_t q) { return p * q; }));
    w.expect(w.evaluator.add(low, x), w.map(a, b, [](int64_t p, int64_t q) { return p + q; }));
    EXPECT_THAT(any_message_of([&] { w.evaluator.switch_to_level(low, 3); }),
                HasSubstr("level must"));
}

TEST(Bfv, AWrongKeyIsNoticed) {
    World w(small_bfv(8, 3));
    const SecretKey other = SecretKey::generate(w.context, w.random);
    const Ciphertext x = w.encrypted(w.random_integers());
    EXPECT_THAT(any_message_of([&] { decrypt_for_owner(other, x); }), HasSubstr("message is lost"));
    EXPECT_EQ(noise_budget(other, x), 0);
    EXPECT_GT(noise_budget(w.secret, x), 60);
}

TEST(Bfv, ReleasesProvenResults) {
    World w(small_bfv(6, 3));
    const Integers a = w.random_integers();
    const Plaintext released = decrypt_for_release(w.secret, w.encrypted(a), w.random);
    EXPECT_EQ(w.encoder.decode(released), a);
}

TEST(Bfv, RandomCircuitsAreExactAndWithinTheirBounds) {
    World w(small_bfv(5, 6, 16, 2), 42);
    const auto keys = GaloisKeys::generate(w.secret, std::vector<int>{3}, true, w.random);
    for (int circuit = 0; circuit < 5000; ++circuit) {
        Integers a = w.random_integers(), b = w.random_integers();
        Ciphertext x = w.encrypted(a), y = w.encrypted(b);
        while (x.noise_budget_bound() > 60) {
            switch (w.random.below(5)) {
                case 0:
                    a = w.map(a, b, [](int64_t p, int64_t q) { return p * q; });
                    x = w.evaluator.multiply(x, y, w.relin);
                    break;
                case 1:
                    b = w.map(a, b, [](int64_t p, int64_t q) { return p + q; });
                    y = w.evaluator.add(x, y);
                    break;
                case 2: {
                    const Integers old = a;
                    for (int i = 0; i < 32; ++i) a[i] = old[(i + 16) % 32];
                    x = w.evaluator.rotate_columns(x, keys);
                    break;
                }
                case 3:
                    a = w.map(a, b, [](int64_t p, int64_t q) { return p * q; });
                    x = w.evaluator.multiply(x, w.encoder.encode(b));
                    break;
                default:
                    if (x.level() > 3) x = w.evaluator.switch_to_level(x, x.level() - 1);
                    a = w.map(a, b, [](int64_t p, int64_t q) { return p - q; });
                    x = w.evaluator.subtract(x, y);
                    break;
            }
        }
        w.expect(x, a);
    }
}

TEST(Bfv, TheRequestedDepthIsReachedAtASecureSize) {
    World w(bfv_parameters({.depth = 2}), 3, true);
    Integers a = w.random_integers();
    Ciphertext x = w.encrypted(a);
    for (int i = 0; i < 2; ++i) {
        x = w.evaluator.multiply(x, x, w.relin);
        a = w.map(a, a, [](int64_t p, int64_t q) { return p * q; });
        w.expect(x, a);
    }
    EXPECT_GT(x.noise_budget_bound(), 0);
}

}  // namespace
}  // namespace ward::he
