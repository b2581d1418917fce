#include "ward/mpc/learn/forecast.h"

#include <gtest/gtest.h>

#include "ward/core/testing/seeded_random.h"
#include "ward/data/load.h"
#include "ward/mpc/local.h"

namespace ward::mpc {
namespace {

TEST(Forecast, IsWhatTheJobThenCosts) {
    const data::Dataset set =
        data::load_dataset({.data = "breast-cancer", .split = "train"}).dataset;
    TrainingJob job;
    job.shape.widths = {static_cast<size_t>(set.example_size()), 5, 1};
    job.options = {.batch_size = 75, .learning_rate = 0.1, .momentum = 0.9};
    job.epochs = 2;
    job.examples = static_cast<size_t>(set.size());
    ASSERT_EQ(job.examples / 75, 6u);
    Random random = testonly::seeded_random(5);
    const NetworkWeights initial = initial_weights(job.shape, random);
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        const PartyOptions options = {.security = security};
        const Forecast expected = forecast(job, options);
        EXPECT_EQ(expected.steps, 12u);
        double bytes = 0, most = 0, rounds = 0;
        std::array<net::Traffic, 3> traffic;
        run_local(
            [&](Party& party) {
                const auto self = static_cast<size_t>(party.index());
                traffic[self] = train(party, job, initial, self == 0 ? &set : nullptr).traffic;
            },
            options);
        for (const net::Traffic& of_party : traffic) {
            const auto sent = static_cast<double>(of_party.bytes_sent);
            bytes += sent / 3;
            most = std::max(most, sent);
            rounds = static_cast<double>(of_party.rounds);
        }
        EXPECT_NEAR(expected.bytes_per_party, bytes, 0.5);
        EXPECT_NEAR(expected.bytes_max_party, most, 0.5);
        EXPECT_NEAR(expected.rounds, rounds, 0.001);
    }
}

TEST(Forecast, AddsRoundsAndBytesOfTheLink) {
    const Forecast cost = {.bytes_max_party = 2e6, .rounds = 100, .compute_seconds = 1};
    EXPECT_DOUBLE_EQ(cost.seconds({}), 1);
    EXPECT_DOUBLE_EQ(cost.seconds({.round_trip_seconds = 0.04, .bytes_per_second = 1e6}),
                     1 + 2 + 2);
}

}  // namespace
}  // namespace ward::mpc
