#include "ward/mpc/noise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/testing/errors.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

TEST(Noise, HasTheVarianceOfThreeParties) {
    constexpr size_t kCount = 60'000;
    constexpr double kSigma = 1000;
    run_local([](Party& party) {
        const RingMatrix got = open(party, discrete_gaussian_noise(party, 1, kCount, kSigma));
        double mean = 0, square = 0;
        for (Ring value : got.values) {
            const auto noise = static_cast<double>(static_cast<int64_t>(value));
            mean += noise / kCount;
            square += noise * noise / kCount;
        }
        // Relative deviation of a variance: sqrt(2 / n) = 0.0058; seven of them, and as many of the
        // mean's.
        EXPECT_NEAR(square / (1.5 * kSigma * kSigma), 1, 0.041);
        EXPECT_NEAR(mean, 0, 7 * std::sqrt(1.5 / kCount) * kSigma);
        EXPECT_EQ(party.ledger().total("noise").rounds, 1u);
        EXPECT_EQ(party.ledger().total("noise").bytes_sent, 8 * kCount + net::kFrameHeaderBytes);
    });
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
