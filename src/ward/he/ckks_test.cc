#include "ward/he/ckks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numeric>
#include <vector>

#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/testing/small_parameters.h"
#include "ward/he/wire.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using testonly::small_ckks;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;
using Values = std::vector<double>;

Values random_values(Random& random, size_t count, double bound = 1.0) {
    Values out(count);
    for (double& x : out) x = bound * (2 * random.uniform01() - 1);
    return out;
}

// Everything a computation needs.
struct World {
    explicit World(const Parameters& p, uint64_t seed = 1, bool secure = false)
        : random(seeded_random(seed)),
          context(secure ? Context::create(p) : Context::create_insecure(p)),
          secret(SecretKey::generate(context, random)),
          key(PublicKey::generate(secret, random)),
          relin(RelinKey::generate(secret, random)),
          encoder(context),
          evaluator(context) {}

    Ciphertext encrypt_values(const Values& values, double bound = 1.0, int slots = 0) {
        return encrypt(key, encoder.encode(values, {.bound = bound, .slots = slots}), random);
    }
    Values decrypt(const Ciphertext& c) { return encoder.decode(decrypt_for_owner(secret, c)); }

    // The result is right to within the bound it carries, and the bound says something.
    void expect(const Ciphertext& c, const Values& expected, double useful = 1e-3) {
        const Values got = decrypt(c);
        ASSERT_GE(got.size(), expected.size());
        double worst = 0;
        for (size_t i = 0; i < expected.size(); ++i) {
            worst = std::max(worst, std::abs(got[i] - expected[i]));
        }
        EXPECT_LE(worst, c.error_bound());
        EXPECT_LT(c.error_bound(), useful);
    }

    Random random;
    ContextPtr context;
    SecretKey secret;
    PublicKey key;
    RelinKey relin;
    CkksEncoder encoder;
    CkksEvaluator evaluator;
};

TEST(CkksEncoder, SlotsAreTheValuesAtTheRoots) {
    const auto context = Context::create_insecure(small_ckks(5, 1));
    const CkksEncoder encoder(context);
    Random random = seeded_random(10);
    for (int slots : {0, 1, 2, 4, 8, 16}) {
        std::vector<std::complex<double>> values(slots == 0 ? 16 : slots);
        for (auto& z : values) z = {2 * random.uniform01() - 1, 2 * random.uniform01() - 1};
        const Plaintext plaintext = encoder.encode(values, {.slots = slots});
        const auto back = encoder.decode_complex(plaintext);
        ASSERT_EQ(back.size(), values.size());
        for (size_t i = 0; i < values.size(); ++i) {
            EXPECT_LE(std::abs(back[i] - values[i]), plaintext.error_bound());
        }
    }
}

TEST(CkksEncoder, ProductOfEncodingsIsSlotwise) {
    World s(small_ckks(6, 2));
    const Values a = random_values(s.random, 32), b = random_values(s.random, 32, 3.0);
    Values product(32);
    for (size_t i = 0; i < 32; ++i) product[i] = a[i] * b[i];
    const Ciphertext c = s.evaluator.multiply(s.encrypt_values(a), s.encoder.encode(b));
    s.expect(s.evaluator.rescale(c), product);
}

TEST(CkksEncoder, RefusesWhatItCannotHold) {
    const auto context = Context::create_insecure(small_ckks(6, 1));
    const CkksEncoder encoder(context);
    EXPECT_THAT(any_message_of([&] { encoder.encode(Values(33, 0.0)); }), HasSubstr("at most 32"));
    EXPECT_THAT(any_message_of([&] { encoder.encode(Values{NAN}); }), HasSubstr("finite"));
    EXPECT_THAT(any_message_of([&] { encoder.encode(Values{2.0}, {.bound = 1.0}); }),
                HasSubstr("above the declared bound"));
    EXPECT_THAT(any_message_of([&] { encoder.encode(Values{1e9}, {.level = 0}); }),
                HasSubstr("do not fit level 0"));
    EXPECT_THAT(any_message_of([&] { encoder.encode(Values{1}, {.slots = 3}); }),
                HasSubstr("power of two"));
    EXPECT_THAT(any_message_of([&] { encoder.encode(Values{1}, {.level = 9}); }),
                HasSubstr("level must be"));
}

TEST(Ckks, EncryptsWithBothKeys) {
    for (int log_degree : {5, 10, 13}) {
        World s(small_ckks(log_degree, 2));
        const Values values = random_values(s.random, s.context->slots(), 5.0);
        const Plaintext message = s.encoder.encode(values, {.bound = 5.0});
        s.expect(encrypt(s.key, message, s.random), values, 1e-4);
        s.expect(encrypt(s.secret, message, s.random), values, 1e-6);
    }
}

TEST(Ckks, SumsAndConstants) {
    World s(small_ckks(6, 2));
    const Values a = random_values(s.random, 32), b = random_values(s.random, 32);
    const Ciphertext x = s.encrypt_values(a), y = s.encrypt_values(b);
    Values sum(32), difference(32), shifted(32), scaled(32);
    for (size_t i = 0; i < 32; ++i) {
        sum[i] = a[i] + b[i];
        difference[i] = a[i] - b[i];
        shifted[i] = -a[i] - 2.5;
        scaled[i] = -3.25 * a[i];
    }
    s.expect(s.evaluator.add(x, y), sum);
    s.expect(s.evaluator.subtract(x, y), difference);
    s.expect(s.evaluator.add(x, s.encoder.encode(b)), sum);
    s.expect(s.evaluator.subtract(x, s.encoder.encode(b)), difference);
    s.expect(s.evaluator.add(s.evaluator.negate(x), -2.5), shifted);
    s.expect(s.evaluator.rescale(s.evaluator.multiply(x, -3.25)), scaled);
    const Ciphertext unrelinearised = s.evaluator.multiply(x, y);
    EXPECT_EQ(unrelinearised.size(), 3);
    Values product(32);
    for (size_t i = 0; i < 32; ++i) product[i] = a[i] * b[i];
    s.expect(unrelinearised, product);
    s.expect(s.evaluator.rescale(unrelinearised), product);
}

TEST(Ckks, MultipliesToTheLastLevelForEveryDigitSize) {
    for (int digit_primes : {1, 2, 3, 5}) {
        World s(small_ckks(7, 4, 40, digit_primes));
        Values a = random_values(s.random, 64);
        Ciphertext x = s.encrypt_values(a);
        for (int level = 3; level >= 0; --level) {
            x = s.evaluator.rescale(s.evaluator.multiply(x, x, s.relin));
            EXPECT_EQ(x.level(), level);
            for (double& v : a) v *= v;
            s.expect(x, a, 1e-2);
        }
        EXPECT_THAT(any_message_of([&] { s.evaluator.rescale(x); }), HasSubstr("no level is left"));
        EXPECT_THAT(any_message_of([&] { s.evaluator.multiply(x, x); }), HasSubstr("wrap around"));
    }
}

TEST(Ckks, RotatesAndConjugates) {
    for (int digit_primes : {1, 2}) {
        World s(small_ckks(6, 3, 40, digit_primes));
        const std::vector<int> steps{1, 2, 4, 8, 16, -3, 31};
        const auto keys = GaloisKeys::generate(s.secret, steps, true, s.random);
        const Values a = random_values(s.random, 32);
        for (int level : {3, 1}) {
            const Ciphertext x = s.evaluator.drop_to_level(s.encrypt_values(a), level);
            const auto hoisted = s.evaluator.rotate_hoisted(x, steps, keys);
            for (size_t k = 0; k < steps.size(); ++k) {
                Values expected(32);
                for (int i = 0; i < 32; ++i) expected[i] = a[(i + steps[k] + 32) % 32];
                s.expect(s.evaluator.rotate(x, steps[k], keys), expected);
                s.expect(hoisted[k], expected);
            }
            s.expect(s.evaluator.sum_slots(x, 32, keys),
                     Values(32, std::accumulate(a.begin(), a.end(), 0.0)));
        }
        std::vector<std::complex<double>> z(32);
        for (auto& v : z)
            v = std::complex<double>(s.random.uniform01() / 2, s.random.uniform01() / 2);
        const Ciphertext c = encrypt(s.key, s.encoder.encode(z, {.bound = 1.0}), s.random);
        const auto back =
            s.encoder.decode_complex(decrypt_for_owner(s.secret, s.evaluator.conjugate(c, keys)));
        for (size_t i = 0; i < 32; ++i) EXPECT_NEAR(std::abs(back[i] - std::conj(z[i])), 0, 1e-4);
        EXPECT_THAT(any_message_of([&] { s.evaluator.rotate(c, 5, keys); }),
                    HasSubstr("no Galois key"));
    }
}

TEST(Ckks, KeysOfALowerLevelAreEnoughThere) {
    World s(small_ckks(6, 3, 40, 2));
    const auto relin = RelinKey::generate(s.secret, s.random, 1);
    const auto keys = GaloisKeys::generate(s.secret, std::vector<int>{1}, false, s.random, 1);
    const Values a = random_values(s.random, 32);
    const Ciphertext top = s.encrypt_values(a), x = s.evaluator.drop_to_level(top, 1);
    Values squares(32), rotated(32);
    for (size_t i = 0; i < 32; ++i) {
        squares[i] = a[i] * a[i];
        rotated[i] = a[(i + 1) % 32];
    }
    s.expect(s.evaluator.multiply(x, x, relin), squares);
    s.expect(s.evaluator.rotate(x, 1, keys), rotated);
    EXPECT_THAT(any_message_of([&] { s.evaluator.rotate(top, 1, keys); }), HasSubstr("at most 2"));
    EXPECT_THAT(any_message_of([&] { s.evaluator.multiply(top, top, relin); }),
                HasSubstr("at most 2"));
    EXPECT_THROW(RelinKey::generate(s.secret, s.random, 4), Error);
}

TEST(Ckks, SparseSlotsRepeat) {
    World s(small_ckks(8, 2));
    const auto keys = GaloisKeys::generate(s.secret, std::vector<int>{1, 2, 4}, false, s.random);
    const Values a = random_values(s.random, 8);
    const Ciphertext x = s.encrypt_values(a, 1.0, 8);
    s.expect(x, a);
    EXPECT_EQ(s.decrypt(x).size(), 8u);
    Values rotated(8);
    for (size_t i = 0; i < 8; ++i) rotated[i] = a[(i + 1) % 8];
    s.expect(s.evaluator.rotate(x, 1, keys), rotated);
}

TEST(Ckks, ScalesAndLevelsAreKeptApart) {
    World s(small_ckks(6, 4));
    const Values a = random_values(s.random, 32);
    const Ciphertext x = s.encrypt_values(a);
    const Ciphertext square = s.evaluator.multiply(x, x, s.relin);
    EXPECT_THAT(any_message_of([&] { s.evaluator.add(x, square); }),
                HasSubstr("scales must agree"));
    EXPECT_THAT(any_message_of([&] { s.evaluator.add(s.evaluator.drop_to_level(x, 1), 1e15); }),
                HasSubstr("wrap around"));
    const Ciphertext rescaled = s.evaluator.rescale(square);
    // Two roads of one depth to one sum.
    Values sum(32);
    for (size_t i = 0; i < 32; ++i) sum[i] = a[i] * a[i] + a[i];
    s.expect(s.evaluator.add(rescaled, s.evaluator.adjust(x, 3, rescaled.scale())), sum);
    const Ciphertext low = s.evaluator.adjust(rescaled, 1);
    EXPECT_EQ(low.level(), 1);
    EXPECT_EQ(low.scale(), 0x1p40);
    const auto other = Context::create_insecure(small_ckks(6, 3));
    EXPECT_THAT(any_message_of([&] { CkksEvaluator(other).add(x, x); }),
                HasSubstr("different parameters"));
    EXPECT_THAT(any_message_of([&] { s.evaluator.multiply(s.evaluator.multiply(x, x), x); }),
                HasSubstr("expected a ciphertext of 2"));
    EXPECT_THAT(any_message_of([&] { encrypt(s.key, s.encoder.encode(a), s.random); }),
                HasSubstr("declared bound"));
}

TEST(Ckks, AWrongKeyIsNoticed) {
    World s(small_ckks(8, 2));
    const SecretKey other = SecretKey::generate(s.context, s.random);
    const Ciphertext x = s.encrypt_values(random_values(s.random, 128));
    for (int level : {2, 1, 0}) {
        const Ciphertext y = s.evaluator.drop_to_level(x, level);
        EXPECT_THAT(any_message_of([&] { s.encoder.decode(decrypt_for_owner(other, y)); }),
                    HasSubstr("out of its bounds"));
    }
}

TEST(Ckks, ReleasedResultsAreFlooded) {
    World s(small_ckks(10, 1, 48));
    const Values a = random_values(s.random, 512);
    const Ciphertext x = encrypt(s.secret, s.encoder.encode(a, {.bound = 1.0}), s.random);
    const Values exact = s.decrypt(x);
    const Plaintext released = decrypt_for_release(s.secret, x, s.random, {.bits = 12});
    const Values got = s.encoder.decode(released);
    double spread = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        spread += (got[i] - exact[i]) * (got[i] - exact[i]);
        EXPECT_LE(std::abs(got[i] - a[i]), released.error_bound());
    }
    // Slots see sigma sqrt(N / 2) in their real part, sigma >= 2^12 times the bound of the error.
    EXPECT_GT(std::sqrt(spread / 512), std::ldexp(x.error_bound(), 12) * std::sqrt(512) * 0.8);
    EXPECT_THAT(any_message_of([&] { decrypt_for_release(s.secret, x, s.random, {.bits = 40}); }),
                HasSubstr("would drown the values"));
    EXPECT_THAT(any_message_of([&] { decrypt_for_release(s.secret, x, s.random, {.bits = 0}); }),
                HasSubstr("1..60"));
}

// Random circuits: the carried bound holds, always.
TEST(Ckks, RandomCircuitsStayWithinTheirBounds) {
    World s(small_ckks(5, 5, 40, 2), 77);
    const auto keys = GaloisKeys::generate(s.secret, std::vector<int>{1, 5}, true, s.random);
    const CkksEvaluator& e = s.evaluator;
    int operations = 0;
    for (int circuit = 0; circuit < 5000; ++circuit) {
        Values a = random_values(s.random, 16), b = random_values(s.random, 16);
        Ciphertext x = s.encrypt_values(a), y = s.encrypt_values(b);
        while (x.level() > 0) {
            ++operations;
            switch (s.random.below(6)) {
                case 0:
                    for (size_t i = 0; i < 16; ++i) a[i] *= b[i];
                    x = e.rescale(e.multiply(x, y, s.relin));
                    y = e.adjust(y, x.level(), x.scale());
                    break;
                case 1:
                    for (size_t i = 0; i < 16; ++i) a[i] += b[i];
                    x = e.add(x, y);
                    for (size_t i = 0; i < 16; ++i) a[i] *= 0.4375;
                    x = e.rescale(e.multiply(x, 0.4375));
                    y = e.drop_to_level(y, x.level());
                    break;
                case 2: {
                    const Values old = a;
                    for (size_t i = 0; i < 16; ++i) a[i] = old[(i + 5) % 16];
                    x = e.rotate(x, 5, keys);
                    break;
                }
                case 3:
                    for (size_t i = 0; i < 16; ++i) a[i] = -a[i];
                    x = e.conjugate(e.negate(x), keys);
                    break;
                case 4:
                    for (size_t i = 0; i < 16; ++i) a[i] -= 0.125;
                    x = e.add(x, -0.125);
                    break;
                default:
                    for (size_t i = 0; i < 16; ++i) a[i] *= a[i];
                    x = e.rescale(e.multiply(x, x));
                    x = e.relinearise(x, s.relin);
                    y = e.adjust(y, x.level(), x.scale());
                    break;
            }
            if (x.value_bound() > 10) break;  // a square still fits the lowest level
        }
        s.expect(x, a, 10);
    }
    EXPECT_GT(operations, 500);
}

// Large enough that rows are shared out.
TEST(Ckks, ThreadsChangeNoBit) {
    const int before = num_threads();
    std::vector<Bytes> products, rotations;
    for (int threads : {1, 2}) {
        set_num_threads(threads);
        World s(small_ckks(14, 7, 40, 2), 3);
        const auto keys = GaloisKeys::generate(s.secret, std::vector<int>{1}, false, s.random);
        const Ciphertext x = s.encrypt_values(random_values(s.random, 100));
        products.push_back(to_bytes(s.evaluator.rescale(s.evaluator.multiply(x, x, s.relin))));
        rotations.push_back(to_bytes(s.evaluator.rotate(x, 1, keys)));
    }
    set_num_threads(before);
    EXPECT_EQ(products[0], products[1]);
    EXPECT_EQ(rotations[0], rotations[1]);
}

TEST(Ckks, WorksAtASecureSize) {
    World s(ckks_parameters({.depth = 2}), 5, true);
    EXPECT_EQ(s.context->degree(), 8192u);
    const Values a = random_values(s.random, s.context->slots());
    Values cubes;
    for (double v : a) cubes.push_back(v * v * v);
    const Ciphertext x = s.encrypt_values(a);
    const Ciphertext square = s.evaluator.rescale(s.evaluator.multiply(x, x, s.relin));
    const Ciphertext cube = s.evaluator.rescale(s.evaluator.multiply(square, x, s.relin));
    s.expect(cube, cubes);
}

}  // namespace
}  // namespace ward::he
