// Matrices and polynomials of encrypted vectors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/linear_transform.h"
#include "ward/he/polynomial.h"
#include "ward/he/testing/small_parameters.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using testonly::small_ckks;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;
using Values = std::vector<double>;

struct World {
    explicit World(const Parameters& p)
        : random(seeded_random(8)),
          context(Context::create_insecure(p)),
          secret(SecretKey::generate(context, random)),
          relin(RelinKey::generate(secret, random)),
          encoder(context),
          evaluator(context) {}

    Values random_values(size_t count) {
        Values out(count);
        for (double& x : out) x = 2 * random.uniform01() - 1;
        return out;
    }
    Ciphertext encrypted(const Values& values, int slots) {
        return encrypt(secret, encoder.encode(values, {.bound = 1.0, .slots = slots}), random);
    }
    void expect(const Ciphertext& c, const Values& expected, double useful) {
        const Values got = encoder.decode(decrypt_for_owner(secret, c));
        for (size_t i = 0; i < expected.size(); ++i) {
            ASSERT_LE(std::abs(got[i] - expected[i]), c.error_bound()) << i;
        }
        EXPECT_LT(c.error_bound(), useful);
    }

    Random random;
    ContextPtr context;
    SecretKey secret;
    RelinKey relin;
    CkksEncoder encoder;
    CkksEvaluator evaluator;
};

Values product(const Values& matrix, int rows, int columns, const Values& x) {
    Values out(rows, 0.0);
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < columns; ++j) out[i] += matrix[i * columns + j] * x[j];
    }
    return out;
}

TEST(LinearTransform, IsTheMatrixForEveryShape) {
    struct Shape {
        int rows, columns, period, digit_primes;
    };
    for (const Shape s : {Shape{1, 1, 1, 1},
                          {2, 2, 2, 1},
                          {5, 8, 8, 2},
                          {16, 16, 16, 1},
                          {10, 32, 32, 3},
                          {32, 7, 32, 2}}) {
        World w(small_ckks(6, 3, 40, s.digit_primes));
        const Values matrix = w.random_values(s.rows * s.columns);
        Values x = w.random_values(s.columns);
        const LinearTransform transform(w.context, matrix, s.rows, s.columns, s.period);
        const auto keys = GaloisKeys::generate(w.secret, transform.rotations(), false, w.random);
        for (int level : {3, 1}) {
            const Ciphertext c = w.evaluator.drop_to_level(w.encrypted(x, s.period), level);
            const Ciphertext y = transform.apply(c, keys);
            EXPECT_EQ(y.level(), level - 1);
            w.expect(y, product(matrix, s.rows, s.columns, x), 1e-2);
        }
    }
}

TEST(LinearTransform, LeavesOutEmptyDiagonals) {
    World w(small_ckks(6, 2));
    Values identity(16 * 16, 0.0);
    for (int i = 0; i < 16; ++i) identity[17 * i] = 1;
    const LinearTransform transform(w.context, identity, 16, 16, 16);
    EXPECT_TRUE(transform.rotations().empty());
    EXPECT_EQ(transform.size_bytes(), 64u * 8 * 4);
    const Values x = w.random_values(16);
    w.expect(transform.apply(w.encrypted(x, 16), GaloisKeys(w.context)), x, 1e-4);
}

TEST(LinearTransform, RefusesWhatDoesNotFit) {
    World w(small_ckks(6, 2));
    const Values four(16, 0.5);
    EXPECT_THAT(any_message_of([&] { LinearTransform(w.context, four, 4, 4, 3); }),
                HasSubstr("power of two"));
    EXPECT_THAT(any_message_of([&] { LinearTransform(w.context, four, 4, 5, 8); }),
                HasSubstr("4 x 5"));
    EXPECT_THAT(
        any_message_of([&] { LinearTransform(w.context, four, 4, 4, 4, {.row_sum_bound = 1}); }),
        HasSubstr("above the declared bound"));
    EXPECT_THAT(any_message_of([&] { LinearTransform(w.context, four, 4, 4, 4, {.level = 0}); }),
                HasSubstr("no level is left"));
    const LinearTransform transform(w.context, four, 4, 4, 4, {.level = 1});
    const GaloisKeys none(w.context);
    const Ciphertext x = w.encrypted(Values(4, 0.1), 4);
    EXPECT_THAT(any_message_of([&] { transform.apply(x, none); }), HasSubstr("up to 2 primes"));
    const Ciphertext low = w.evaluator.drop_to_level(x, 1);
    EXPECT_THAT(any_message_of([&] { transform.apply(low, none); }), HasSubstr("no Galois key"));
    const Ciphertext wide = w.evaluator.drop_to_level(w.encrypted(Values(8, 0.1), 8), 1);
    EXPECT_THAT(any_message_of([&] { transform.apply(wide, none); }),
                HasSubstr("for periods up to 4"));
    using Diagonals = LinearTransform::Diagonals;
    EXPECT_THAT(any_message_of([&] {
                    LinearTransform(w.context, Diagonals{{4, {1}}}, 4, {});
                }),
                HasSubstr("numbers of 0..3"));
    EXPECT_THAT(any_message_of([&] {
                    LinearTransform(w.context, Diagonals{{0, {1, 2, 3}}}, 4, {});
                }),
                HasSubstr("got 0 with 3"));
    EXPECT_THAT(any_message_of([&] {
                    LinearTransform(w.context, Diagonals{{0, {NAN}}}, 4, {});
                }),
                HasSubstr("must be finite"));
}

TEST(LinearTransform, DiagonalsMayBeFewAndShort) {
    World w(small_ckks(7, 2));
    const int period = 64;
    LinearTransform::Diagonals diagonals;
    for (int k : {0, 3, 29, 31, 60}) diagonals[k] = w.random_values(k == 29 ? 8 : period);
    const LinearTransform transform(w.context, diagonals, period, {.value_bound = 2.5});
    const auto keys = GaloisKeys::generate(w.secret, transform.rotations(), false, w.random);
    const Values x = w.random_values(16);  // repeats within the period
    Values expected(period, 0.0);
    for (const auto& [k, places] : diagonals) {
        for (int i = 0; i < period; ++i) expected[i] += places[i % places.size()] * x[(i + k) % 16];
    }
    const Ciphertext y = transform.apply(w.encrypted(x, 16), keys);
    w.expect(y, expected, 1e-2);
    EXPECT_LE(y.value_bound(), 2.5);
}

TEST(LinearTransform, StepsNameTheRotations) {
    // A kernel of 3 x 3 over rows of 28: three baby steps and as many giant steps, less those by 0.
    std::vector<int> kernel;
    for (int y = 0; y < 3; ++y) {
        for (int x = 0; x < 3; ++x) kernel.push_back(28 * y + x);
    }
    const auto steps = LinearTransform::steps(kernel, 1024);
    EXPECT_EQ(steps.babies, 2);
    EXPECT_EQ(steps.giants, 2);
    EXPECT_EQ(steps.rotations, (std::vector<int>{1, 2, 28, 56}));
}

TEST(Polynomial, MatchesHornerForEveryDegree) {
    World w(small_ckks(6, 6, 40, 3));
    const Values x = w.random_values(32);
    const Ciphertext c = w.encrypted(x, 32);
    for (int degree : {0, 1, 2, 3, 4, 7, 8, 13, 16, 31}) {
        const Values p = w.random_values(degree + 1);
        Values expected;
        for (double v : x) {
            double y = 0;
            for (int k = degree; k >= 0; --k) y = y * v + p[k];
            expected.push_back(y);
        }
        const Ciphertext y = evaluate_polynomial(w.evaluator, c, p, w.relin);
        EXPECT_EQ(y.level(), c.level() - polynomial_depth(degree)) << degree;
        EXPECT_EQ(y.scale(), c.scale());
        w.expect(y, expected, 1e-2);
    }
}

TEST(Polynomial, ChebyshevApproximatesTheSigmoid) {
    World w(small_ckks(6, 7, 45, 3));
    const Values x = w.random_values(32);
    const Ciphertext c = w.encrypted(x, 32);
    const auto sigmoid = [](double t) { return 1 / (1 + std::exp(-t)); };
    for (int degree : {5, 15, 31, 63}) {
        const Values p = chebyshev_coefficients(sigmoid, -8, 8, degree);
        Values series, exact;
        for (double v : x) {
            double sum = 0;
            for (int k = 0; k <= degree; ++k) sum += p[k] * std::cos(k * std::acos(v));
            series.push_back(sum);
            exact.push_back(sigmoid(8 * v));
        }
        const Ciphertext y = evaluate_chebyshev(w.evaluator, c, p, w.relin);
        w.expect(y, series, 1e-2);
        if (degree < 31) continue;
        const Values got = w.encoder.decode(decrypt_for_owner(w.secret, y));
        for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(got[i], exact[i], 1e-3);
    }
}

TEST(Polynomial, RefusesWhatItCannotReach) {
    World w(small_ckks(6, 2));
    const Ciphertext c = w.encrypted(Values(32, 0.5), 32);
    EXPECT_THAT(
        any_message_of([&] { evaluate_polynomial(w.evaluator, c, Values(9, 1.0), w.relin); }),
        HasSubstr("takes 5 levels, got 2"));
    EXPECT_THAT(any_message_of([&] { evaluate_polynomial(w.evaluator, c, Values{}, w.relin); }),
                HasSubstr("needs a coefficient"));
    EXPECT_THAT(any_message_of([&] { evaluate_polynomial(w.evaluator, c, Values{NAN}, w.relin); }),
                HasSubstr("finite"));
    const Ciphertext wide = w.evaluator.add(c, c);
    EXPECT_THAT(
        any_message_of([&] { evaluate_chebyshev(w.evaluator, wide, Values(3, 1.0), w.relin); }),
        HasSubstr("bounded by 1"));
}

}  // namespace
}  // namespace ward::he
