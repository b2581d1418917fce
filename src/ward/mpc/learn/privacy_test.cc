#include "ward/mpc/learn/privacy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/data/load.h"
#include "ward/dp/gaussian.h"
#include "ward/mpc/learn/job_file.h"
#include "ward/mpc/local.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

constexpr const char* kJob =
    "ward_mpc_job: 1\ndata: breast-cancer\nhidden: [6]\nepochs: 8\nbatch_size: 64\n"
    "privacy: {clipping_norm: 1.5, delta: 1e-5, noise_multiplier: 6}\n";

data::Dataset train_set() { return data::load_dataset({.data = "breast-cancer"}).dataset; }

TEST(Privacy, IsThatOfOneGaussianPerEpoch) {
    const TrainingJob job = job_for(parse_job(kJob, "j"), train_set());
    EXPECT_EQ(job.options.clipping_norm, 1.5);
    const dp::PrivacyPlan plan = privacy_plan(job);
    EXPECT_EQ(plan.steps(), 8);
    EXPECT_EQ(plan.sampling_rate(), 1);
    // Eight Gaussians of deviation 6 are one of 6 / sqrt(8), whose epsilon is known in closed form;
    // Renyi accounting is a little above it.
    const double exact = dp::gaussian_epsilon(6 / std::sqrt(8.0), 1e-5);
    EXPECT_GE(plan.epsilon().upper, exact);
    EXPECT_LE(plan.epsilon().upper, 1.2 * exact);
    // Whatever the batch size: an example is in one batch of an epoch.
    TrainingJob larger = job;
    larger.options.batch_size = 128;
    EXPECT_EQ(privacy_plan(larger).epsilon().upper, plan.epsilon().upper);
    EXPECT_NE(larger.digest(), job.digest());
}

TEST(Privacy, NoiseFollowsFromEpsilon) {
    TrainingJob job = job_for(parse_job(kJob, "j"), train_set());
    job.options.noise_multiplier = noise_for(job, 2.5);
    EXPECT_LE(privacy_plan(job).epsilon().upper, 2.5);
    EXPECT_GE(privacy_plan(job).epsilon().upper, 2.49);
    std::string text = kJob;
    text.replace(text.find("noise_multiplier: 6"), 19, "epsilon: 2.5");
    EXPECT_EQ(job_for(parse_job(text, "j"), train_set()).options.noise_multiplier,
              job.options.noise_multiplier);
}

TEST(Privacy, ADifferentStatementIsADifferentJob) {
    const TrainingJob job = job_for(parse_job(kJob, "j"), train_set());
    for (double TrainOptions::*member :
         {&TrainOptions::clipping_norm, &TrainOptions::noise_multiplier}) {
        TrainingJob other = job;
        other.options.*member = std::nextafter(other.options.*member, 0);
        EXPECT_NE(other.digest(), job.digest());
    }
    TrainingJob other = job;
    other.delta = 1.1e-5;
    EXPECT_NE(other.digest(), job.digest());
}

TEST(Privacy, JobFilesThatGiveNoGuaranteeAreRefused) {
    const auto refused = [](const std::string& privacy) {
        const std::string text = "ward_mpc_job: 1\ndata: digits\nprivacy: " + privacy;
        return testonly::message_of([&] { (void)parse_job(text, "j"); });
    };
    const std::string whole = "{clipping_norm: 1, delta: 1e-5, epsilon: 3}\n";
    EXPECT_THAT(refused("{clipping_norm: 1, delta: 1e-5}"), HasSubstr("either epsilon or noise"));
    EXPECT_THAT(refused("{clipping_norm: 1, delta: 1e-5, epsilon: 3, noise_multiplier: 1}"),
                HasSubstr("either epsilon or noise"));
    EXPECT_THAT(refused("{delta: 1e-5, epsilon: 3}"), HasSubstr("needs clipping_norm"));
    EXPECT_THAT(refused("{clipping_norm: 999, delta: 1e-5, epsilon: 3}"), HasSubstr("[1/16, 256]"));
    EXPECT_THAT(refused("{clip: 1}"), HasSubstr("privacy has no clip"));
    EXPECT_THAT(refused(whole + "truncation: fast\n"), HasSubstr("truncation: exact"));
    EXPECT_THAT(testonly::message_of([] { (void)privacy_plan(TrainingJob{}); }, ErrorCode::kUsage),
                HasSubstr("no clipping norm or no delta"));
}

// Data far out of the bounds are cut off.
TEST(Privacy, TrainsWithInputsCutOff) {
    data::Dataset set = train_set();
    set.inputs[3] = 1e30F;
    TrainingJob job = job_for(parse_job(kJob, "j"), set);
    job.options.momentum = 0.5;  // more is refused with kMalicious
    Random random = testonly::seeded_random(1);
    const NetworkWeights initial = initial_weights(job.shape, random);
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(
            [&](Party& party) {
                const JobResult result =
                    train(party, job, initial, party.index() == 0 ? &set : nullptr);
                EXPECT_GT(accuracy(result.network, set), 0.6);
            },
            {.security = security});
    }
}

TEST(Privacy, SaysWhatAPartyMayDo) {
    EXPECT_THAT(privacy_remarks(Security::kSemiHonest).back(), HasSubstr("as long as it follows"));
    EXPECT_THAT(privacy_remarks(Security::kMalicious).back(), HasSubstr("even if it deviates"));
}

}  // namespace
}  // namespace ward::mpc
