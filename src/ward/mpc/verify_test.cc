#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/testing/errors.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/internal/gf64.h"
#include "ward/mpc/internal/verify.h"
#include "ward/mpc/local.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/noise.h"
#include "ward/mpc/share.h"
#include "ward/mpc/shuffle.h"
#include "ward/mpc/softmax.h"
#include "ward/mpc/sort.h"
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
        std::vector<uint64_t> scaled = a, each = a, sum = b;
        internal::gf64_scale(factor, scaled.data(), count);
        internal::gf64_scale_each(b.data(), each.data(), count);
        internal::gf64_add_multiple(factor, a.data(), sum.data(), count);
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

TEST(Verified, WhatIsNotCoveredIsRefused) {
    const RingMatrix x = random_matrix(4, 2);
    run_local(
        [&](Party& party) {
            const SharedMatrix s = shared(party, x);
            const auto refusal = [&](auto action) {
                return testonly::message_of(action, ErrorCode::kUnsupported);
            };
            EXPECT_THAT(refusal([&] { (void)shuffle_rows(party, s); }), HasSubstr("a shuffle"));
            EXPECT_THAT(refusal([&] { (void)sort_rows(party, s, 0, 8); }), HasSubstr("a shuffle"));
            EXPECT_THAT(refusal([&] { (void)discrete_gaussian_noise(party, 1, 1, 100); }),
                        HasSubstr("the drawing of noise"));
        },
        kMaliciously);
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
