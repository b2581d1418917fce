#include "ward/mpc/noise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "ward/core/testing/errors.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

constexpr size_t kCount = 60'000;
constexpr double kSigma = 1000;

// Relative deviation of a variance: sqrt(2 / n) = 0.0058; seven of them, and as many of the mean's.
void expect_noise_of_three(const RingMatrix& got) {
    double mean = 0, square = 0;
    for (Ring value : got.values) {
        const auto noise = static_cast<double>(static_cast<int64_t>(value));
        mean += noise / kCount;
        square += noise * noise / kCount;
    }
    EXPECT_NEAR(square / (1.5 * kSigma * kSigma), 1, 0.041);
    EXPECT_NEAR(mean, 0, 7 * std::sqrt(1.5 / kCount) * kSigma);
}

TEST(Noise, HasTheVarianceOfThreeParties) {
    run_local([](Party& party) {
        expect_noise_of_three(open(party, discrete_gaussian_noise(party, 1, kCount, kSigma)));
        EXPECT_EQ(party.ledger().total("noise").rounds, 1u);
        EXPECT_EQ(party.ledger().total("noise").bytes_sent, 8 * kCount + net::kFrameHeaderBytes);
    });
}

TEST(Noise, HasTheSameVarianceWhenItIsVerified) {
    run_local(
        [](Party& party) {
            expect_noise_of_three(
                open(party, discrete_gaussian_noise(party, 3, kCount / 3, kSigma)));
            EXPECT_EQ(discrete_gaussian_noise(party, 0, 5, kSigma).size(), 0u);
            // Before the coin: who waits for nobody could see it and choose noise that passes.
            EXPECT_EQ(party.ledger().total("noise/synchronize").rounds, 1u);
        },
        {.security = Security::kMalicious});
}

// A party whose noise is `cheat`, the others' is 0; the error that all get, or the sum.
struct Cheated {
    std::string error;
    RingMatrix sum;
};
Cheated cheated(int cheater, const RingMatrix& cheat, double sigma = kSigma) {
    std::array<Cheated, 3> out;
    run_local(
        [&](Party& party) {
            Cheated& own = out[static_cast<size_t>(party.index())];
            RingMatrix noise(cheat.rows, cheat.cols);
            std::fill(noise.values.begin(), noise.values.end(), Ring{0});
            if (party.index() == cheater) noise = cheat;
            try {
                own.sum = open(party, internal::add_verified_noise(party, noise, sigma));
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
                own.error = error.message();
            }
        },
        {.security = Security::kMalicious});
    EXPECT_EQ(out[0].error, out[1].error);
    EXPECT_EQ(out[0].error, out[2].error);
    return out[0];
}

TEST(Noise, APartyThatAddsTooMuchIsNamed) {
    constexpr size_t kValues = 500;
    const Ring bound = internal::noise_bound(kValues, kSigma);
    EXPECT_EQ(bound, static_cast<Ring>(std::ceil(6 * kSigma * std::sqrt(kValues))));
    // One value alone, of both signs and around the ring.
    for (Ring value : {2 * bound + 1, 0 - (2 * bound + 1), Ring{1} << 40, Ring{1} << 63,
                       (Ring{1} << 63) - 1, (Ring{1} << 63) + bound}) {
        for (int cheater : {0, 1, 2}) {
            RingMatrix cheat(5, kValues / 5);
            std::fill(cheat.values.begin(), cheat.values.end(), Ring{0});
            cheat.values[kValues - 1] = value;
            EXPECT_EQ(cheated(cheater, cheat).error,
                      "party " + std::to_string(cheater) +
                          " has added noise far beyond what was asked for");
        }
    }
    // All of them alike, and in turns: no value is beyond the bound, the norm is.
    for (bool in_turns : {false, true}) {
        RingMatrix cheat(1, kValues);
        for (size_t i = 0; i < kValues; ++i) {
            const Ring value = 100 * static_cast<Ring>(kSigma);
            cheat.values[i] = in_turns && i % 2 == 1 ? 0 - value : value;
        }
        EXPECT_THAT(cheated(1, cheat).error, HasSubstr("party 1"));
    }
}

// What an honest party could have drawn passes, though it is unlikely.
TEST(Noise, NoiseWithinTheBoundPasses) {
    constexpr size_t kValues = 500;
    RingMatrix cheat(1, kValues);
    std::fill(cheat.values.begin(), cheat.values.end(), Ring{0});
    cheat.values[7] = 0 - internal::noise_bound(kValues, kSigma);
    for (int cheater : {0, 1, 2}) {
        const Cheated got = cheated(cheater, cheat);
        EXPECT_EQ(got.error, "");
        EXPECT_EQ(got.sum.values, cheat.values);
    }
}

TEST(Noise, RefusesVerifiedSumsThatCouldWrap) {
    EXPECT_EQ(internal::noise_bound(1, 0x1p25), Ring{6} << 25);
    EXPECT_THAT(testonly::message_of([] { internal::noise_bound(size_t{1} << 29, 0x1p16); },
                                     ErrorCode::kUnsupported),
                HasSubstr("could wrap"));
}

TEST(Noise, RefusesDeviationsOutOfRange) {
    run_local([](Party& party) {
        for (double sigma : {7.9, 1e9, std::nan("")}) {
            EXPECT_THAT(testonly::message_of([&] { discrete_gaussian_noise(party, 1, 1, sigma); },
                                             ErrorCode::kUsage),
                        HasSubstr("from 8 to 2^25"));
        }
    });
}

}  // namespace
}  // namespace ward::mpc
