#include "ward/mpc/learn/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/data/load.h"
#include "ward/mpc/local.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

data::Dataset digits(const std::string& split) {
    return data::load_dataset({.data = "digits", .split = split}).dataset;
}

TEST(Job, HandwrittenDigitsOnSharesAndInTheClear) {
    const data::Dataset train_set = digits("train"), test_set = digits("test");
    TrainingJob job;
    job.shape.widths = {static_cast<size_t>(train_set.example_size()), 32, 10};
    job.options = {.batch_size = 64, .learning_rate = 0.1, .momentum = 0.9};
    job.epochs = 4;
    job.examples = static_cast<size_t>(train_set.size());
    job.label_owner = 2;  // inputs and labels are split between two owners
    Random random = testonly::seeded_random(3);
    const NetworkWeights initial = initial_weights(job.shape, random);
    JobResult result;
    run_local(
        [&](Party& party) {
            const bool owner = party.index() != 1;
            JobResult own = train(party, job, initial, owner ? &train_set : nullptr);
            if (party.index() == 0) result = std::move(own);
        },
        {.job = job.digest()});
    Twin twin(testonly::seeded_random(4));
    const double on_shares = accuracy(result.network, test_set);
    const double in_the_clear = accuracy(train_twin(twin, job, initial, train_set), test_set);
    EXPECT_GT(on_shares, 0.9);
    EXPECT_NEAR(on_shares, in_the_clear, 0.03);
    EXPECT_GT(result.traffic.rounds, 0u);
}

TEST(Job, RefusesDataThatDoesNotFit) {
    const data::Dataset set = digits("test");
    TrainingJob job;
    job.shape.widths = {64, 10};
    job.examples = 7;
    Random random = testonly::seeded_random(3);
    const NetworkWeights initial = initial_weights(job.shape, random);
    EXPECT_THAT(testonly::message_of(
                    [&] { run_local([&](Party& party) { train(party, job, initial, &set); }); },
                    ErrorCode::kUsage),
                HasSubstr("the job has 7 of 64"));
    TrainingJob other = job;
    other.epochs = 2;
    EXPECT_NE(job.digest(), other.digest());
}

}  // namespace
}  // namespace ward::mpc
