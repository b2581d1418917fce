#include "ward/he/internal/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "ward/core/error.h"
#include "ward/core/testing/seeded_random.h"

namespace ward::he::internal {
namespace {

using testonly::seeded_random;
using Words = std::vector<uint64_t>;

std::vector<const Kernels*> all_kernels() {
    std::vector<const Kernels*> found{&scalar_kernels()};
    if (has_avx2()) found.push_back(&avx2_kernels());
    if (has_avx512_ifma()) found.push_back(&avx512_ifma_kernels());
    return found;
}

Words random_below(Random& random, uint64_t bound, size_t n) {
    Words out(n);
    for (uint64_t& word : out) word = random.below(bound);
    return out;
}

// The product modulo X^n + 1 by its definition.
Words schoolbook(uint64_t q, const Words& a, const Words& b) {
    const size_t n = a.size();
    Words out(n, 0);
    for (size_t i = 0; i < n; ++i) {
        for (size_t j = 0; j < n; ++j) {
            const auto product = static_cast<uint64_t>(static_cast<Uint128>(a[i]) * b[j] % q);
            uint64_t& place = out[(i + j) % n];
            place = (place + (i + j < n ? product : q - product)) % q;
        }
    }
    return out;
}

TEST(Modulus, AgreesWithDivision) {
    Random random = seeded_random(1);
    for (uint64_t q : {uint64_t{3}, uint64_t{97}, uint64_t{65537}, (uint64_t{1} << 40) - 87,
                       (uint64_t{1} << 49) - 1, (uint64_t{1} << 48) + 1}) {
        const Modulus m(q);
        const auto edge = [&](int i) {
            const uint64_t edges[] = {0, 1, q / 2, q - 1};
            return i < 4 ? edges[i] : random.below(q);
        };
        for (int i = 0; i < 40; ++i) {
            for (int j = 0; j < 40; ++j) {
                const uint64_t a = edge(i), b = edge(j);
                EXPECT_EQ(m.add(a, b), (a + b) % q);
                EXPECT_EQ(m.subtract(a, b), (a + q - b) % q);
                EXPECT_EQ(m.negate(a), (q - a) % q);
                const auto product = static_cast<uint64_t>(static_cast<Uint128>(a) * b % q);
                EXPECT_EQ(m.multiply(a, b), product);
                EXPECT_EQ(m.multiply(b, m.factor(a)), product);
            }
            const uint64_t word = random.next_u64();
            EXPECT_EQ(m.reduce64(word), word % q);
            EXPECT_EQ(m.reduce(word & kMask52), (word & kMask52) % q);
            const int64_t number = static_cast<int64_t>(word) / 2;
            const auto modulus = static_cast<int64_t>(q);
            const auto expected = static_cast<uint64_t>((number % modulus + modulus) % modulus);
            EXPECT_EQ(m.reduce_signed(number), expected);
        }
        EXPECT_EQ(m.reduce_wide(kMask52, kMask52),
                  static_cast<uint64_t>(((static_cast<Uint128>(kMask52) << 52) + kMask52) % q));
    }
}

TEST(Modulus, ExhaustiveModuloSmallPrimes) {
    for (uint64_t q : {3, 5, 7, 31}) {
        const Modulus m(q);
        for (uint64_t a = 0; a < q; ++a) {
            for (uint64_t b = 0; b < q; ++b) {
                EXPECT_EQ(m.multiply(a, b), a * b % q);
                EXPECT_EQ(m.multiply(a, m.factor(b)), a * b % q);
            }
            if (a == 0) continue;
            EXPECT_EQ(m.multiply(a, m.invert(a)), 1u);
        }
    }
}

TEST(Modulus, RefusesWhatTheArithmeticCannotHold) {
    EXPECT_THROW(Modulus(0), Error);
    EXPECT_THROW(Modulus(2), Error);
    EXPECT_THROW(Modulus(1024), Error);
    EXPECT_THROW(Modulus((uint64_t{1} << 49) + 1), Error);
}

TEST(Primes, AreFoundAndDistinct) {
    EXPECT_TRUE(is_prime_vartime((uint64_t{1} << 61) - 1));
    EXPECT_FALSE(is_prime_vartime(3215031751u));  // a strong pseudoprime to bases 2, 3, 5, 7
    const auto top = ntt_primes(13, 49, 5);
    EXPECT_TRUE(std::is_sorted(top.rbegin(), top.rend()));
    const auto more = ntt_primes(13, 49, 5, top);
    for (uint64_t q : more) EXPECT_LT(q, top.back());
    for (uint64_t q : ntt_primes_near(13, 40, 8, top)) {
        EXPECT_EQ(q % 16384, 1u);
        EXPECT_TRUE(is_prime_vartime(q));
        EXPECT_NEAR(static_cast<double>(q) / 0x1p40, 1.0, 1e-5);
    }
    EXPECT_THROW(ntt_primes(13, 15, 5), Error);
}

TEST(Ntt, ProductsEqualSchoolbook) {
    Random random = seeded_random(2);
    for (int log_degree : {5, 6, 7, 8}) {
        const size_t n = size_t{1} << log_degree;
        for (int bits : {20, 40, 49}) {
            const uint64_t q = ntt_primes(log_degree, bits, 1)[0];
            const NttTable table(log_degree, q);
            const Words a = random_below(random, q, n), b = random_below(random, q, n);
            const Words expected = schoolbook(q, a, b);
            for (const Kernels* k : all_kernels()) {
                Words fa(n), fb(n), product(n), back(n);
                k->ntt_forward(table, a.data(), fa.data());
                k->ntt_forward(table, b.data(), fb.data());
                k->multiply(table.modulus(), fa.data(), fb.data(), product.data(), n);
                k->ntt_inverse(table, product.data(), back.data());
                EXPECT_EQ(back, expected);
            }
        }
    }
}

// Every vector of one nonzero coefficient, so each word of the transform is seen by itself.
TEST(Ntt, TransformsUnitVectorsToPowersOfTheRoot) {
    constexpr int kLog = 5;
    const uint64_t q = ntt_primes(kLog, 20, 1)[0];
    const NttTable table(kLog, q);
    const Modulus& m = table.modulus();
    const size_t n = table.degree();
    const uint64_t psi = table.roots()[n / 2];  // brv(n/2) = 1
    EXPECT_EQ(m.power_vartime(psi, n), q - 1);
    for (const Kernels* k : all_kernels()) {
        for (size_t j = 0; j < n; ++j) {
            Words in(n, 0), out(n), back(n);
            in[j] = q - 1;
            k->ntt_forward(table, in.data(), out.data());
            for (size_t i = 0; i < n; ++i) {
                const uint64_t exponent = (2 * reverse_bits(i, kLog) + 1) * j;
                EXPECT_EQ(out[i], m.negate(m.power_vartime(psi, exponent % (2 * n))));
            }
            k->ntt_inverse(table, out.data(), back.data());
            EXPECT_EQ(back, in);
        }
    }
}

TEST(Ntt, VariantsAgreeInPlaceAndOnLazyInputs) {
    Random random = seeded_random(3);
    for (int log_degree = 5; log_degree <= 16; ++log_degree) {
        const size_t n = size_t{1} << log_degree;
        const uint64_t q = ntt_primes(log_degree, 49, 1)[0];
        const NttTable table(log_degree, q);
        Words lazy = random_below(random, 8 * q, n);
        for (size_t i = 0; i < 8; ++i) lazy[i] = 8 * q - 1;
        Words reduced = lazy;
        for (uint64_t& word : reduced) word %= q;
        Words expected(n);
        scalar_kernels().ntt_forward(table, lazy.data(), expected.data());
        for (const Kernels* k : all_kernels()) {
            Words work = lazy;
            k->ntt_forward(table, work.data(), work.data());
            EXPECT_EQ(work, expected) << log_degree;
            k->ntt_inverse(table, work.data(), work.data());
            EXPECT_EQ(work, reduced) << log_degree;
            k->ntt_inverse(table, Words(n, q - 1).data(), work.data());
            Words forward(n);
            k->ntt_forward(table, work.data(), forward.data());
            EXPECT_EQ(forward, Words(n, q - 1));
        }
    }
}

TEST(Ntt, RefusesModuliWithoutRoots) {
    EXPECT_THROW(NttTable(13, 65537 * 2 + 1), Error);
    EXPECT_THROW(NttTable(4, 97), Error);
    EXPECT_THROW(NttTable(18, ntt_primes(17, 49, 1)[0]), Error);
}

struct Operands {
    Modulus q;
    Words a, b, c;
};

Operands operands(Random& random, uint64_t q, size_t n) {
    Operands o{Modulus(q), random_below(random, q, n), random_below(random, q, n),
               random_below(random, q, n)};
    o.a[0] = o.b[1] = o.c[2] = 0;
    o.a[3] = o.b[3] = o.c[3] = q - 1;
    return o;
}

TEST(Kernels, ElementwiseFollowTheirDefinition) {
    Random random = seeded_random(4);
    constexpr size_t n = 64;
    for (uint64_t q : {uint64_t{65537}, (uint64_t{1} << 49) - 1}) {
        const Operands o = operands(random, q, n);
        const Modulus& m = o.q;
        const Factor w = m.factor(random.below(q));
        Words wide = random_below(random, kMask52 + 1, n);
        wide[0] = kMask52;
        for (const Kernels* k : all_kernels()) {
            const auto expect = [&](auto run, auto definition) {
                Words out(n);
                run(out.data());
                for (size_t i = 0; i < n; ++i) EXPECT_EQ(out[i], definition(i)) << i;
            };
            const uint64_t *a = o.a.data(), *b = o.b.data(), *c = o.c.data();
            expect([&](uint64_t* out) { k->add(m, a, b, out, n); },
                   [&](size_t i) { return m.add(a[i], b[i]); });
            expect([&](uint64_t* out) { k->subtract(m, a, b, out, n); },
                   [&](size_t i) { return m.subtract(a[i], b[i]); });
            expect([&](uint64_t* out) { k->negate(m, a, out, n); },
                   [&](size_t i) { return m.negate(a[i]); });
            expect([&](uint64_t* out) { k->multiply(m, a, b, out, n); },
                   [&](size_t i) { return m.multiply(a[i], b[i]); });
            expect([&](uint64_t* out) { k->multiply_add(m, a, b, c, out, n); },
                   [&](size_t i) { return m.add(m.multiply(a[i], b[i]), c[i]); });
            expect([&](uint64_t* out) { k->multiply_factor(m, wide.data(), w, out, n); },
                   [&](size_t i) { return m.multiply(wide[i] % q, w.value); });
            expect([&](uint64_t* out) { k->subtract_multiply(m, a, b, w, out, n); },
                   [&](size_t i) { return m.multiply(m.subtract(a[i], b[i]), w.value); });
            expect([&](uint64_t* out) { k->shift_reduce(m, a, q / 3, out, n); },
                   [&](size_t i) { return (a[i] + q / 3) % q; });
        }
    }
}

TEST(Kernels, SumsReduceOnceAtTheirLimits) {
    Random random = seeded_random(5);
    constexpr size_t n = 32, kCount = 2048;
    const uint64_t q = (uint64_t{1} << 49) - 1;
    const Modulus m(q);
    std::vector<Words> x, y;
    std::vector<const uint64_t*> px, py;
    Words scalars;
    for (size_t d = 0; d < kCount; ++d) {
        x.push_back(Words(n, kMask52));  // the worst case in half of the words
        y.push_back(Words(n, q - 1));
        for (size_t i = 0; i < n / 2; ++i) {
            x[d][i] = random.below(kMask52 + 1);
            y[d][i] = random.below(q);
        }
        scalars.push_back(d == 0 ? 0 : q - d);
    }
    for (size_t d = 0; d < kCount; ++d) {
        px.push_back(x[d].data());
        py.push_back(y[d].data());
    }
    for (size_t count : {size_t{0}, size_t{1}, size_t{7}, kCount}) {
        Words dot(n, 0), combination(n, 0);
        for (size_t i = 0; i < n; ++i) {
            for (size_t d = 0; d < count; ++d) {
                dot[i] = m.add(dot[i], m.multiply(x[d][i] % q, y[d][i]));
                combination[i] = m.add(combination[i], m.multiply(x[d][i] % q, scalars[d]));
            }
        }
        for (const Kernels* k : all_kernels()) {
            Words out(n), first(n), second(n), sum(n);
            k->inner_product(m, px.data(), py.data(), count, out.data(), n);
            EXPECT_EQ(out, dot);
            k->inner_product_pair(m, px.data(), py.data(), py.data(), count, first.data(),
                                  second.data(), n);
            EXPECT_EQ(first, dot);
            EXPECT_EQ(second, dot);
            k->linear_combination(m, px.data(), scalars.data(), count, sum.data(), n);
            EXPECT_EQ(sum, combination);
        }
    }
}

TEST(Kernels, SamplingAndReorderingAgree) {
    Random random = seeded_random(6);
    constexpr size_t n = 128;
    const uint64_t q = (uint64_t{1} << 40) + (uint64_t{1} << 38) + 1;  // about 5/8 are accepted
    const Modulus m(q);
    Words words(3 * n);
    random.fill(std::span<uint64_t>(words));
    std::vector<uint32_t> places(n);
    for (size_t i = 0; i < n; ++i) places[i] = static_cast<uint32_t>((5 * i + 3) % n);
    std::vector<int64_t> numbers(n);
    for (int64_t& x : numbers) x = static_cast<int64_t>(random.next_u64()) >> 2;
    numbers[0] = 0;
    numbers[1] = -static_cast<int64_t>(q);
    numbers[2] = (int64_t{1} << 62) - 1;
    numbers[3] = -numbers[2];
    const double inverses[] = {1.0 / 3, 1.0 / 7};
    const uint64_t* two[] = {words.data(), words.data() + n};
    for (uint64_t& word : words) word &= ~(uint64_t{0xff} << 49);
    Words kept;
    for (uint64_t word : words) {
        const uint64_t low = word & ((uint64_t{1} << 41) - 1);
        if (low < q && kept.size() < n) kept.push_back(low);
    }
    ASSERT_EQ(kept.size(), n);
    for (uint64_t& word : words) word &= (uint64_t{1} << 49) - 1;
    for (const Kernels* k : all_kernels()) {
        Words uniform(n + 8), moved(n), sums(n), signs(n);
        EXPECT_EQ(k->accept_uniform(m, words.data(), words.size(), uniform.data(), n), n);
        uniform.resize(n);
        EXPECT_EQ(uniform, kept);
        k->gather(words.data(), places.data(), moved.data(), n);
        k->rounded_sum(two, inverses, 2, sums.data(), n);
        k->reduce_signed(m, numbers.data(), signs.data(), n);
        for (size_t i = 0; i < n; ++i) {
            EXPECT_EQ(moved[i], words[places[i]]);
            EXPECT_EQ(sums[i],
                      static_cast<uint64_t>(0.5 + static_cast<double>(words[i]) * inverses[0] +
                                            static_cast<double>(words[n + i]) * inverses[1]));
            EXPECT_EQ(signs[i], m.reduce_signed(numbers[i]));
        }
    }
}

}  // namespace
}  // namespace ward::he::internal
