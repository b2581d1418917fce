#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/testing/errors.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/internal/gf64.h"
#include "ward/mpc/internal/row_sums.h"
#include "ward/mpc/internal/verify.h"
#include "ward/mpc/internal/verify_bit_kernels.h"
#include "ward/mpc/internal/wide_kernels.h"
#include "ward/mpc/local.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/share.h"
#include "ward/mpc/softmax.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

const PartyOptions kMaliciously = {.security = Security::kMalicious};

RingMatrix random_matrix(size_t rows, size_t cols, double bound = 0) {
    RingMatrix out(rows, cols);
    Random random = Random::from_system();
    for (Ring& value : out.values) {
        value =
            bound == 0 ? random.next_u64() : encode_constant((2 * random.uniform01() - 1) * bound);
    }
    return out;
}

SharedMatrix shared(Party& party, const RingMatrix& x) {
    return share(party, 0, party.index() == 0 ? &x : nullptr, x.rows, x.cols);
}

TEST(Gf64, PortableAndFastProductsAgreeAndFormAField) {
    Random random = Random::from_system();
    EXPECT_EQ(internal::gf64_multiply(2, uint64_t{1} << 63), 0x1bu);
    for (int i = 0; i < 200; ++i) {
        const uint64_t a = random.next_u64(), b = random.next_u64(), c = random.next_u64();
        const uint64_t ab = internal::gf64_multiply(a, b);
        EXPECT_EQ(ab, internal::gf64_multiply_portable(a, b));
        EXPECT_EQ(ab, internal::gf64_multiply(b, a));
        EXPECT_EQ(internal::gf64_multiply(ab, c),
                  internal::gf64_multiply(a, internal::gf64_multiply(b, c)));
        EXPECT_EQ(internal::gf64_multiply(a, b ^ c), ab ^ internal::gf64_multiply(a, c));
    }
    // a^(2^64 - 1) = 1
    uint64_t power = 1, square = 0x123456789abcdef;
    for (int i = 0; i < 64; ++i) {
        power = internal::gf64_multiply(power, square);
        square = internal::gf64_multiply(square, square);
    }
    EXPECT_EQ(power, 1u);
}

TEST(Gf64, VectorsOfAllLengthsAgreeWithThePortableProduct) {
    Random random = Random::from_system();
    for (size_t count : {0, 1, 7, 8, 9, 16, 37}) {
        std::vector<uint64_t> a(count), b(count);
        random.fill(std::span<uint64_t>(a));
        random.fill(std::span<uint64_t>(b));
        const uint64_t factor = random.next_u64();
        std::vector<uint64_t> scaled = a, each = a, sum(count);
        internal::gf64_scale(factor, scaled.data(), count);
        internal::gf64_scale_each(b.data(), each.data(), count);
        std::vector<uint64_t> pieces = a;
        pieces.insert(pieces.end(), b.begin(), b.end());
        const uint64_t factors[] = {factor, 1};
        internal::gf64_combine(factors, pieces.data(), 2, count, sum.data());
        uint64_t dot = 0;
        for (size_t i = 0; i < count; ++i) {
            const uint64_t product = internal::gf64_multiply_portable(factor, a[i]);
            const uint64_t both = internal::gf64_multiply_portable(a[i], b[i]);
            EXPECT_EQ(scaled[i], product);
            EXPECT_EQ(each[i], both);
            EXPECT_EQ(sum[i], b[i] ^ product);
            dot ^= both;
        }
        EXPECT_EQ(internal::gf64_dot(a.data(), b.data(), count), dot);
    }
}

RingVector random_words(size_t count) {
    RingVector out(count);
    Random random = Random::from_system();
    random.fill(std::span<uint64_t>(out));
    return out;
}

Bytes random_bytes(size_t count) {
    Bytes out(count);
    Random::from_system().fill(out);
    return out;
}

// All ones are what comes nearest to an overflow of the limbs.
TEST(WideKernels, AgreeWithThePortableOnes) {
    if (internal::ifma_wide_kernels() == nullptr) GTEST_SKIP() << "no AVX-512 IFMA";
    using internal::Uint128;
    const internal::WideKernels& fast = *internal::ifma_wide_kernels();
    const internal::WideKernels& slow = internal::portable_wide_kernels();
    for (bool extreme : {false, true}) {
        for (size_t length : {8, 512, 1528}) {
            constexpr size_t kRows = 16;
            RingVector low = random_words(kRows * length), high = random_words(kRows * length),
                       v = random_words(2 * kRows * length);
            if (extreme) {
                for (RingVector* words : {&low, &high, &v}) {
                    std::fill(words->begin(), words->end(), ~Ring{0});
                }
            }
            RingVector factors(v.begin(), v.begin() + kRows);
            for (Ring& factor : factors) factor >>= 12;
            std::vector<Uint128> one(kRows * kRows), other(one), sum(length), same(length);
            const internal::WideRows words = {low.data(), nullptr, length},
                                     numbers = {low.data(), high.data(), length},
                                     vs = {v.data(), nullptr, length};
            for (const internal::WideRows& u : {words, numbers}) {
                slow.wide_table(u, kRows, vs, kRows, length, one.data());
                fast.wide_table(u, kRows, vs, kRows, length, other.data());
                EXPECT_TRUE(one == other) << length;
                slow.wide_fold(factors.data(), u, kRows, length, sum.data());
                fast.wide_fold(factors.data(), u, kRows, length, same.data());
                EXPECT_TRUE(sum == same) << length;
            }
            slow.narrow_table(words, kRows, vs, kRows, length, one.data());
            fast.narrow_table(words, kRows, vs, kRows, length, other.data());
            EXPECT_TRUE(one == other) << length;
            for (int shift : {0, 24}) {
                slow.narrow_fold(factors.data(), words, kRows, length, shift, sum.data());
                fast.narrow_fold(factors.data(), words, kRows, length, shift, same.data());
                EXPECT_TRUE(sum == same) << length;
            }
            const auto* long_u = reinterpret_cast<const Uint128*>(v.data());
            std::vector<Uint128> wide_factors(factors.begin(), factors.end());
            slow.full_fold(wide_factors.data(), long_u, kRows, length, sum.data());
            fast.full_fold(wide_factors.data(), long_u, kRows, length, same.data());
            EXPECT_TRUE(sum == same) << length;
            slow.full_table(long_u, long_u, kRows, length, one.data());
            fast.full_table(long_u, long_u, kRows, length, other.data());
            EXPECT_TRUE(one == other) << length;
        }
    }
}

TEST(WideKernels, ScalingAndRowSumsAgreeWithThePortableOnes) {
    const internal::WideKernels& slow = internal::portable_wide_kernels();
    for (size_t count : {1, 7, 8, 41}) {
        const RingVector factors = random_words(count);
        RingVector u = random_words(count), same = u, u_high(count), same_high(count);
        internal::scale_narrow(factors.data(), u.data(), count, u.data());
        slow.scale_narrow(factors.data(), same.data(), count, same.data());
        EXPECT_EQ(u, same);
        internal::scale_wide(factors.data(), u.data(), count, u.data(), u_high.data());
        slow.scale_wide(factors.data(), same.data(), count, same.data(), same_high.data());
        EXPECT_EQ(u, same);
        EXPECT_EQ(u_high, same_high);
    }
    const size_t shapes[][2] = {{1, 1}, {5, 10}, {130, 24}, {64, 8}, {4, 7}, {0, 3}, {3, 0}};
    for (const auto& [rows, cols] : shapes) {
        const size_t stride = cols + 3;
        const Bytes selection = random_bytes(internal::selection_bytes(rows));
        const RingVector x = random_words(rows * cols);
        RingVector sums = random_words(internal::kRowSums * stride), same = sums;
        internal::row_sums(selection.data(), x.data(), rows, cols, sums.data(), stride);
        internal::row_sums_portable(selection.data(), x.data(), rows, cols, same.data(), stride);
        EXPECT_EQ(sums, same);
        const Bytes of_columns = random_bytes(internal::selection_bytes(cols));
        RingVector turned = random_words(internal::kRowSums * (rows + 1)), alike = turned;
        internal::column_sums(of_columns.data(), x.data(), rows, cols, turned.data(), rows + 1);
        internal::column_sums_portable(of_columns.data(), x.data(), rows, cols, alike.data(),
                                       rows + 1);
        EXPECT_EQ(turned, alike);
    }
}

// The first element of a table by hand, all others by the two variants.
TEST(BitKernels, AgreeWithThePortableOnesAndTheDefinition) {
    for (size_t pieces : {4, 16, 64}) {
        for (size_t length : {8, 264}) {
            const size_t n = pieces * length;
            const RingVector r = random_words(n), a = random_words(n), b = random_words(n),
                             c = random_words(n), d = random_words(n), y = random_words(pieces);
            const internal::BitFactors words = {a.data(), b.data(), c.data(), d.data()};
            std::vector<uint64_t> fast(pieces * pieces), slow(fast.size());
            internal::bit_table(r.data(), words, pieces, length, fast.data());
            internal::bit_table_portable(r.data(), words, pieces, length, slow.data());
            EXPECT_EQ(fast, slow);
            uint64_t first = 0;
            for (size_t i = 0; i < length; ++i) {
                first ^= internal::gf64_multiply(r[i], (a[i] & c[i]) ^ (b[i] & d[i]));
            }
            EXPECT_EQ(fast[0], first);
            RingVector of_word(64 * length), of_piece(of_word), word(of_word), piece(of_word);
            internal::bit_fold(a.data(), {r.data(), y.data(), of_word.data(), of_piece.data()},
                               pieces, length);
            internal::bit_fold_portable(a.data(), {r.data(), y.data(), word.data(), piece.data()},
                                        pieces, length);
            EXPECT_EQ(of_word, word);
            EXPECT_EQ(of_piece, piece);
        }
    }
}

TEST(Verified, ProductsAreRightAndPass) {
    for (size_t n : {1, 7, 300, 5000}) {
        const RingMatrix x = random_matrix(1, n), y = random_matrix(1, n);
        run_local(
            [&](Party& party) {
                const RingMatrix z =
                    open(party, multiply(party, shared(party, x), shared(party, y)));
                for (size_t i = 0; i < n; ++i) ASSERT_EQ(z.values[i], x.values[i] * y.values[i]);
            },
            kMaliciously);
    }
}

TEST(Verified, MatrixProductsOfAllShapes) {
    const size_t shapes[][3] = {{1, 1, 1}, {3, 200, 2}, {70, 5, 90}, {41, 3, 1}, {2, 4, 64}};
    for (const auto& [m, k, n] : shapes) {
        const RingMatrix x = random_matrix(m, k), y = random_matrix(k, n);
        run_local(
            [&](Party& party) {
                const RingMatrix z = open(party, matmul(party, shared(party, x), shared(party, y)));
                for (size_t i = 0; i < m * n; ++i) {
                    Ring expected = 0;
                    for (size_t j = 0; j < k; ++j) {
                        expected += x.values[i / n * k + j] * y.values[j * n + i % n];
                    }
                    ASSERT_EQ(z.values[i], expected);
                }
            },
            kMaliciously);
    }
}

TEST(Verified, DivisionIsUnbiasedAndNeverFarOff) {
    constexpr size_t kCount = 20'000;
    for (double bound : {0.001, 3.0, 30'000.0, 1e13}) {
        for (int shift : {16, 2, 30}) {
            const RingMatrix x = random_matrix(1, kCount, bound);
            run_local(
                [&](Party& party) {
                    const RingMatrix z = open(party, truncate(party, shared(party, x), shift));
                    double mean = 0;
                    for (size_t i = 0; i < kCount; ++i) {
                        const double exact = std::ldexp(
                            static_cast<double>(static_cast<int64_t>(x.values[i])), -shift);
                        const double error =
                            static_cast<double>(static_cast<int64_t>(z.values[i])) - exact;
                        ASSERT_LT(std::abs(error), 1.5 + 1e-3);
                        mean += error / kCount;
                    }
                    // Rounding of uniform parts: deviation 0.5 at most; 6 of them, and the bias.
                    EXPECT_LT(std::abs(mean), 6 * 0.5 / std::sqrt(kCount) + std::ldexp(1, -shift));
                },
                kMaliciously);
        }
    }
}

// The extremes of what may be divided.
TEST(Verified, DivisionAtTheLimits) {
    RingMatrix x(1, 4);
    const Ring limit = (Ring{1} << 61) - (Ring{1} << 21);
    x.values = {limit, 0 - limit, 0, ~Ring{0}};
    const RingMatrix factor = random_matrix(1, 4, 1);
    run_local(
        [&](Party& party) {
            for (int repeat = 0; repeat < 50; ++repeat) {
                const SharedMatrix one = share_public(party, factor);
                const SharedMatrix mixed =
                    add(shared(party, x),
                        subtract(multiply(party, one, one), multiply(party, one, one)));
                const RingMatrix z = open(party, truncate(party, mixed, 20));
                for (size_t i = 0; i < 4; ++i) {
                    const auto exact = static_cast<int64_t>(x.values[i]) >> 20;
                    EXPECT_LE(std::abs(static_cast<int64_t>(z.values[i]) - exact), 2);
                }
            }
            EXPECT_THAT(testonly::message_of([&] { (void)truncate(party, shared(party, x), 61); },
                                             ErrorCode::kUsage),
                        HasSubstr("1 to 60 bits, got 61"));
        },
        kMaliciously);
}

TEST(Verified, ComparisonsOfAllWidths) {
    for (int bits : {2, 3, 4, 17, 32, 64}) {
        constexpr size_t kCount = 500;
        RingMatrix x = random_matrix(1, kCount);
        for (size_t i = 0; i < kCount; ++i) {
            const auto wide = static_cast<int64_t>(x.values[i]);
            x.values[i] = static_cast<Ring>(wide >> (64 - bits));
        }
        x.values[0] = 0;
        x.values[1] = ~Ring{0};
        run_local(
            [&](Party& party) {
                const RingVector opened = open(party, is_negative(party, shared(party, x), bits));
                for (size_t i = 0; i < kCount; ++i) {
                    ASSERT_EQ(opened[i / 64] >> (i % 64) & 1, x.values[i] >> 63) << bits;
                }
            },
            kMaliciously);
    }
}

TEST(Verified, ReluSelectAndConversion) {
    const RingMatrix x = random_matrix(9, 31, 1000);
    run_local(
        [&](Party& party) {
            const SharedMatrix s = shared(party, x);
            const ReluResult result = relu(party, s, 32);
            const RingMatrix value = open(party, result.value);
            const RingMatrix bit = open(party, to_ring(party, result.active, 9, 31));
            for (size_t i = 0; i < x.size(); ++i) {
                const bool positive = static_cast<int64_t>(x.values[i]) >= 0;
                EXPECT_EQ(value.values[i], positive ? x.values[i] : 0);
                EXPECT_EQ(bit.values[i], positive ? 1u : 0u);
            }
        },
        kMaliciously);
}

TEST(Verified, SoftmaxIsThatOfSemiHonestParties) {
    const RingMatrix x = random_matrix(20, 5, 8);
    RingMatrix results[2];
    for (int malicious : {0, 1}) {
        run_local(
            [&](Party& party) {
                const RingMatrix y = open(party, softmax(party, shared(party, x)));
                if (party.index() == 0) results[malicious] = y;
            },
            malicious == 1 ? kMaliciously : PartyOptions());
    }
    for (size_t i = 0; i < x.size(); ++i) {
        EXPECT_NEAR(decode(results[0].values[i]), decode(results[1].values[i]), 2e-4);
    }
}

TEST(Verified, OpensToOnePartyOnly) {
    const RingMatrix x = random_matrix(3, 3);
    run_local(
        [&](Party& party) {
            const SharedMatrix s = multiply(party, shared(party, x), shared(party, x));
            for (int receiver = 0; receiver < 3; ++receiver) {
                const RingMatrix got = open_to(party, receiver, s);
                ASSERT_EQ(got.size(), party.index() == receiver ? 9u : 0u);
                for (size_t i = 0; i < got.size(); ++i) {
                    EXPECT_EQ(got.values[i], x.values[i] * x.values[i]);
                }
            }
        },
        kMaliciously);
}

TEST(Verified, TheFastTruncationIsRefused) {
    EXPECT_THAT(testonly::message_of(
                    [] {
                        run_local([](Party&) {}, {.truncation = Truncation::kFast,
                                                  .security = Security::kMalicious});
                    },
                    ErrorCode::kUsage),
                HasSubstr("fast truncation"));
}

}  // namespace
}  // namespace ward::mpc
