#include "ward/mpc/learn/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "ward/core/file.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/crypto/aead.h"
#include "ward/data/load.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/checkpoint_resume.h"
#include "ward/mpc/learn/job.h"
#include "ward/mpc/local.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

class CheckpointTest : public ::testing::Test {
  protected:
    void SetUp() override {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        folder_ = ::testing::TempDir() + "/ward_checkpoint_" + info->name();
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        for (SecretBytes& key : keys_) key = crypto::Aead::new_key();
        train_set_ = data::load_dataset({.data = "breast-cancer", .split = "train"}).dataset;
        job_.shape.widths = {static_cast<size_t>(train_set_.example_size()), 6, 1};
        job_.options = {.batch_size = 32, .learning_rate = 0.1, .momentum = 0.9};
        job_.epochs = 3;
        job_.examples = static_cast<size_t>(train_set_.size());
        job_.label_owner = 1;
        Random random = testonly::seeded_random(5);
        initial_ = initial_weights(job_.shape, random);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    CheckpointPlace place(int party) const {
        return {folder_ + "/party" + std::to_string(party), &keys_[static_cast<size_t>(party)],
                job_.digest(), party};
    }

    NetworkWeights run(const std::function<void(int party, int epochs)>& after_epoch,
                       uint64_t every_steps = 5) {
        NetworkWeights out;
        PartyOptions options = options_;
        options.job = job_.digest();
        run_local(
            [&](Party& party) {
                const int self = party.index();
                const Checkpointing checkpointing = {place(self), every_steps};
                JobResult result = train(
                    party, job_, initial_, self != 2 ? &train_set_ : nullptr,
                    [&](int epochs) { after_epoch(self, epochs); }, &checkpointing);
                if (self == 0) out = std::move(result.network);
            },
            options);
        return out;
    }

    // What this party ends with, which lacks a file.
    std::string error_of_restoring(int who) {
        std::string error;
        run_local([&](Party& party) {
            const CheckpointPlace own = place(party.index());
            Resumption resumption(party, own, 5, job_, "");
            if (party.index() == who) {
                error = testonly::error_of([&] { resumption.restore(); }, ErrorCode::kCorrupt);
            } else {
                EXPECT_ANY_THROW(resumption.restore());  // the other is gone
            }
        });
        return error;
    }

    PartyOptions options_;
    std::string folder_;
    std::array<SecretBytes, 3> keys_;
    data::Dataset train_set_;
    TrainingJob job_;
    NetworkWeights initial_;
};

void expect_equal(const NetworkWeights& a, const NetworkWeights& b) {
    for (size_t l = 0; l < a.weights.size(); ++l) {
        EXPECT_EQ(a.weights[l].values, b.weights[l].values);
        EXPECT_EQ(a.biases[l].values, b.biases[l].values);
    }
}

// Party 2 dies after the first epoch; what is there then, and what each party has at other moments,
// leads to the model of the run that went on.
TEST_F(CheckpointTest, ResumedRunsGiveTheVeryModel) {
    const auto die = [](int party, int epochs) {
        if (party == 2 && epochs == 1) throw Error(ErrorCode::kUsage, "killed");
    };
    EXPECT_THAT(testonly::message_of([&] { (void)run(die); }, ErrorCode::kUsage),
                HasSubstr("killed"));
    const std::string copy = folder_ + ".copy";
    std::filesystem::remove_all(copy);
    std::filesystem::copy(folder_, copy);
    int first_epoch = 0;
    const NetworkWeights model = run([&](int party, int epochs) {
        if (party == 0 && first_epoch == 0) first_epoch = epochs;
    });
    const auto again = [&](const std::function<void()>& change) {
        std::filesystem::remove_all(folder_);
        std::filesystem::copy(copy, folder_);
        change();
        return run([](int, int) {});
    };
    expect_equal(again([] {}), model);
    // A party that was cut off before its last save.
    expect_equal(
        again([&] { std::filesystem::rename(place(1).path + ".previous", place(1).path); }), model);
    std::filesystem::remove_all(copy);
}

TEST_F(CheckpointTest, OfAnotherJobKeyOrPartyDoesNotOpen) {
    const Checkpoint checkpoint = {7, 1, false, {SecretBytes(32), SecretBytes(32)}, "digest", {}};
    save_checkpoint(place(0), checkpoint);
    ASSERT_EQ(load_checkpoints(place(0)).size(), 1u);
    EXPECT_EQ(load_checkpoints(place(0))[0].step, 7u);
    CheckpointPlace other_job = place(0), other_key = place(0), other_party = place(0);
    other_job.job = "another";
    other_key.key = &keys_[1];
    other_party.party = 1;
    for (const CheckpointPlace& wrong : {other_job, other_key, other_party}) {
        EXPECT_THAT(
            testonly::message_of([&] { (void)load_checkpoints(wrong); }, ErrorCode::kCorrupt),
            HasSubstr("no checkpoint of this job and party under this key"));
    }
}

TEST_F(CheckpointTest, EveryChangedByteIsNoticed) {
    SharedMatrix matrix(2, 2);
    matrix.first = {1, 2, 3, 4};
    matrix.second = {5, 6, 7, 8};
    save_checkpoint(place(0), {3, 1, false, {SecretBytes(32), SecretBytes(32)}, "d", {matrix}});
    const std::vector<Checkpoint> good = load_checkpoints(place(0));
    EXPECT_EQ(good[0].state[0].second, matrix.second);
    EXPECT_EQ(good[0].data_digest, "d");
    const Bytes whole = read_file(place(0).path);
    for (size_t at = 0; at < whole.size(); at += 11) {
        Bytes changed = whole;
        changed[at] ^= 1;
        write_file_atomically(place(0).path, ByteView(changed));
        testonly::error_of([&] { (void)load_checkpoints(place(0)); }, ErrorCode::kCorrupt);
    }
    write_file_atomically(place(0).path, ByteView(whole).first(10));
    testonly::error_of([&] { (void)load_checkpoints(place(0)); }, ErrorCode::kCorrupt);
}

TEST_F(CheckpointTest, KeepsTheOneBefore) {
    for (uint64_t step : {5, 10, 15}) {
        save_checkpoint(place(0), {step, 1, false, {SecretBytes(32), SecretBytes(32)}, "", {}});
    }
    const std::vector<Checkpoint> found = load_checkpoints(place(0));
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].step, 15u);
    EXPECT_EQ(found[1].step, 10u);
    // A kill between the link and the new file leaves one file with both names.
    std::filesystem::remove(place(0).path);
    std::filesystem::create_hard_link(place(0).path + ".previous", place(0).path);
    save_checkpoint(place(0), {15, 1, false, {SecretBytes(32), SecretBytes(32)}, "", {}});
    EXPECT_EQ(load_checkpoints(place(0)).at(1).step, 10u);
    size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++files;
    EXPECT_EQ(files, 2u);
    remove_checkpoints(place(0));
    EXPECT_TRUE(load_checkpoints(place(0)).empty());
}

TEST_F(CheckpointTest, RefusesWhatDoesNotBelongTogether) {
    const auto stop = [](int party, int epochs) {
        if (party == 0 && epochs == 2) throw Error(ErrorCode::kUsage, "killed");
    };
    testonly::error_of([&] { (void)run(stop); }, ErrorCode::kUsage);
    train_set_.digest = "other rows";
    EXPECT_THAT(testonly::message_of([&] { (void)run([](int, int) {}); }, ErrorCode::kRefused),
                HasSubstr("the data of this party is not that of the checkpoint"));
    remove_checkpoints(place(1));
    EXPECT_THAT(testonly::message_of([&] { (void)run([](int, int) {}); }, ErrorCode::kRefused),
                HasSubstr("but none that all three parties have"));
}

// Old files at one party: the two others have a newer state.
TEST_F(CheckpointTest, OneSaveMayBeMissingButNotTwo) {
    const auto stop = [](int party, int epochs) {
        if (party == 0 && epochs == 2) throw Error(ErrorCode::kUsage, "killed");
    };
    const auto path = [&](int party) { return place(party).path; };
    std::filesystem::create_directories(folder_ + "/old");
    const auto die_early = [](int party, int epochs) {
        if (party == 0 && epochs == 1) throw Error(ErrorCode::kUsage, "killed");
    };
    testonly::error_of([&] { (void)run(die_early); }, ErrorCode::kUsage);
    std::filesystem::copy(path(1), folder_ + "/old/1");
    std::filesystem::copy(path(1) + ".previous", folder_ + "/old/1.previous");
    testonly::error_of([&] { (void)run(stop); }, ErrorCode::kUsage);
    const auto over = std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy(folder_ + "/old/1", path(1), over);
    std::filesystem::copy(folder_ + "/old/1.previous", path(1) + ".previous", over);
    EXPECT_THAT(testonly::message_of([&] { (void)run([](int, int) {}); }, ErrorCode::kRefused),
                HasSubstr("that all three parties have"));
}

TEST_F(CheckpointTest, PartsThatTwoPartiesHoldMustBeTheSame) {
    const auto stop = [](int party, int epochs) {
        if (party == 0 && epochs == 1) throw Error(ErrorCode::kUsage, "killed");
    };
    testonly::error_of([&] { (void)run(stop); }, ErrorCode::kUsage);
    // Party 1's file is opened with its key, changed in one value, and sealed again.
    for (int kept : {0, 1}) {
        std::vector<Checkpoint> found = load_checkpoints(place(1));
        Checkpoint& changed = found[static_cast<size_t>(1 - kept)];
        changed.state[0].second[3] += 1;
        save_checkpoint(place(1), changed);
    }
    EXPECT_THAT(testonly::message_of([&] { (void)run([](int, int) {}); }, ErrorCode::kRefused),
                HasSubstr("do not belong together"));
}

// The keys are fresh, so only the rounding differs from an uninterrupted run.
TEST_F(CheckpointTest, MaliciousSecurityGoesOnWithFreshKeys) {
    options_.security = Security::kMalicious;
    const NetworkWeights whole = run([](int, int) {});
    for (int party : {0, 1, 2}) remove_checkpoints(place(party));
    const auto die = [](int party, int epochs) {
        if (party == 2 && epochs == 2) throw Error(ErrorCode::kUsage, "killed");
    };
    testonly::error_of([&] { (void)run(die); }, ErrorCode::kUsage);
    const std::vector<Checkpoint> saved = load_checkpoints(place(0));
    ASSERT_FALSE(saved.empty());
    EXPECT_GT(saved[0].step, 0u);
    const Bytes none(KeyStream::kKeyBytes, 0);
    EXPECT_TRUE(std::ranges::equal(saved[0].keys.own.reveal(), none));
    int first_epoch = 0;
    const NetworkWeights resumed = run([&](int party, int epochs) {
        if (party == 0 && first_epoch == 0) first_epoch = epochs;
    });
    EXPECT_GE(first_epoch, 2);  // the first epoch was not done again
    for (size_t l = 0; l < whole.weights.size(); ++l) {
        for (size_t i = 0; i < whole.weights[l].size(); ++i) {
            ASSERT_NEAR(decode(whole.weights[l].values[i]), decode(resumed.weights[l].values[i]),
                        0.02);
        }
    }
}

// Clipping without noise: only the rounding, which comes from fresh keys, may differ.
TEST_F(CheckpointTest, PrivateTrainingGoesOnWithFreshMasks) {
    job_.options.clipping_norm = 1;
    const NetworkWeights whole = run([](int, int) {});
    for (int party : {0, 1, 2}) remove_checkpoints(place(party));
    const auto die = [](int party, int epochs) {
        if (party == 2 && epochs == 2) throw Error(ErrorCode::kUsage, "killed");
    };
    testonly::error_of([&] { (void)run(die); }, ErrorCode::kUsage);
    const std::string copy = folder_ + ".copy";
    std::filesystem::remove_all(copy);
    std::filesystem::copy(folder_, copy);
    const auto resumed = [&] {
        std::filesystem::remove_all(folder_);
        std::filesystem::copy(copy, folder_);
        int first_epoch = 0;
        NetworkWeights out = run([&](int party, int epochs) {
            if (party == 0 && first_epoch == 0) first_epoch = epochs;
        });
        EXPECT_GE(first_epoch, 2);  // the first epoch was not done again
        return out;
    };
    const NetworkWeights one = resumed(), other = resumed();
    EXPECT_NE(one.weights[0].values, other.weights[0].values);
    for (size_t l = 0; l < whole.weights.size(); ++l) {
        for (size_t i = 0; i < whole.weights[l].size(); ++i) {
            ASSERT_NEAR(decode(whole.weights[l].values[i]), decode(one.weights[l].values[i]), 0.02);
        }
    }
    std::filesystem::remove_all(copy);
}

// Whatever fails after the model was opened, another start opens the same one: a second model with
// other noise would be a second release.
TEST_F(CheckpointTest, APrivateModelIsOpenedAgainAndNotMadeAgain) {
    job_.options.clipping_norm = 1;
    job_.options.noise_multiplier = 1;
    const NetworkWeights one = run([](int, int) {});
    int epochs_done = 0;
    const NetworkWeights other = run([&](int, int epochs) { epochs_done = epochs; });
    expect_equal(one, other);
    EXPECT_EQ(epochs_done, 0);
}

// Its last state stays behind the end of the job.
TEST_F(CheckpointTest, APrivateJobKeepsItsLastState) {
    (void)run([](int, int) {});
    for (int party : {0, 1, 2}) {
        end_job(place(party), job_);
        EXPECT_TRUE(load_checkpoints(place(party)).empty());
    }
    job_.options.clipping_norm = 1;
    job_.options.noise_multiplier = 1;
    (void)run([](int, int) {});
    end_job(place(0), job_);
    EXPECT_TRUE(load_checkpoints(place(0)).at(0).finished);
    // Lost at one party, though not damaged.
    std::filesystem::remove(place(0).path);
    EXPECT_THAT(error_of_restoring(0), HasSubstr("is missing; "));
}

// The state that was lost is short of one save only.
TEST_F(CheckpointTest, AShortPrivateJobMakesNoSecondModel) {
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        options_.security = security;
        job_.options.clipping_norm = 1;
        job_.options.noise_multiplier = 1;
        (void)run([](int, int) {}, 1000);
        remove_checkpoints(place(0));
        EXPECT_THAT(
            testonly::message_of([&] { (void)run([](int, int) {}, 1000); }, ErrorCode::kRefused),
            HasSubstr("a party has lost the last state"));
        for (int party : {1, 2}) remove_checkpoints(place(party));
    }
}

// A party that has seen the model says that it lacks the last state, to have another one made.
TEST_F(CheckpointTest, AVerifiedPrivateJobMakesNoSecondModel) {
    options_.security = Security::kMalicious;
    job_.options.clipping_norm = 1;
    job_.options.noise_multiplier = 1;
    const NetworkWeights one = run([](int, int) {});
    expect_equal(run([](int, int) {}), one);  // opened again, not made again
    std::filesystem::rename(place(1).path + ".previous", place(1).path);
    EXPECT_THAT(testonly::message_of([&] { (void)run([](int, int) {}); }, ErrorCode::kRefused),
                HasSubstr("a party has lost the last state"));
    // Before the end a lost save is no harm.
    for (int party : {0, 1, 2}) remove_checkpoints(place(party));
    const auto die = [](int party, int epochs) {
        if (party == 2 && epochs == 1) throw Error(ErrorCode::kUsage, "killed");
    };
    testonly::error_of([&] { (void)run(die); }, ErrorCode::kUsage);
    std::filesystem::rename(place(1).path + ".previous", place(1).path);
    EXPECT_FALSE(run([](int, int) {}).weights.empty());
}

// Party 1 fails twice while it saves the same step, so that it keeps the state before only.
TEST_F(CheckpointTest, TwoFailuresOfOneSaveLeaveTheStateBefore) {
    const auto die = [](int party, int epochs) {
        if (party == 2 && epochs == 1) throw Error(ErrorCode::kUsage, "killed");
    };
    const auto step_of = [&](int party) { return load_checkpoints(place(party)).at(0).step; };
    for (double norm : {0.0, 1.0}) {
        job_.options.clipping_norm = norm;
        testonly::error_of([&] { (void)run(die); }, ErrorCode::kUsage);
        const std::string first = place(1).path, previous = first + ".previous";
        const uint64_t newest = step_of(0);
        std::filesystem::rename(previous, first);
        std::filesystem::create_directories(previous + "/in the way");
        const std::string old_of_another_run = folder_ + "/old";
        for (int i = 0; i < 2; ++i) {
            EXPECT_ANY_THROW(run([](int, int) {}));  // whose error comes first is open
            EXPECT_EQ(step_of(0), newest);
            EXPECT_LT(load_checkpoints(place(0)).at(1).step, newest);
            if (i == 0) std::filesystem::copy(place(0).path, old_of_another_run);
        }
        std::filesystem::remove_all(previous);
        testonly::error_of([&] { (void)run(die); }, ErrorCode::kUsage);
        // With fresh keys a step of another start is another state, whatever its number.
        std::filesystem::copy(old_of_another_run, place(0).path,
                              std::filesystem::copy_options::overwrite_existing);
        EXPECT_FALSE(run([](int, int) {}).weights.empty());
        for (int party : {0, 1, 2}) remove_checkpoints(place(party));
        std::filesystem::remove(old_of_another_run);
    }
}

// Party 1's newest file is cut off on disk; so may be its second newest, or both.
TEST_F(CheckpointTest, ADamagedFileGivesWayToTheOneBefore) {
    const auto die = [](int party, int epochs) {
        if (party == 2 && epochs == 2) throw Error(ErrorCode::kUsage, "killed");
    };
    testonly::error_of([&] { (void)run(die); }, ErrorCode::kUsage);
    const std::string copy = folder_ + ".copy", file = place(1).path;
    std::filesystem::remove_all(copy);
    std::filesystem::copy(folder_, copy);
    const NetworkWeights whole = run([](int, int) {});
    const auto cut = [&](const std::string& path) { std::filesystem::resize_file(path, 100); };
    const auto again = [&](const std::vector<std::string>& damaged) {
        std::filesystem::remove_all(folder_);
        std::filesystem::copy(copy, folder_);
        for (const std::string& path : damaged) cut(path);
    };
    const uint64_t newest = load_checkpoints(place(0)).at(0).step;
    again({file});
    DamagedCheckpoints damaged;
    const std::vector<Checkpoint> left = load_checkpoints(place(1), &damaged);
    ASSERT_EQ(left.size(), 1u);
    EXPECT_LT(left[0].step, newest);
    EXPECT_TRUE(damaged.present);
    EXPECT_FALSE(damaged.previous);
    expect_equal(run([](int, int) {}), whole);
    again({file + ".previous"});
    expect_equal(run([](int, int) {}), whole);
    again({file, file + ".previous"});
    EXPECT_THAT(testonly::message_of([&] { (void)load_checkpoints(place(1), &damaged); },
                                     ErrorCode::kCorrupt),
                HasSubstr("no checkpoint of this job and party under this key"));
    std::filesystem::remove_all(copy);
}

// The lost state may have been the last one, whose model was opened.
TEST_F(CheckpointTest, ADamagedFileOfAPrivateJobIsRefused) {
    job_.options.clipping_norm = 1;
    job_.options.noise_multiplier = 1;
    (void)run([](int, int) {});
    std::filesystem::resize_file(place(1).path, 100);
    const std::string error = error_of_restoring(1);
    EXPECT_THAT(error, HasSubstr("is damaged; "));
    EXPECT_THAT(error, HasSubstr("second release"));
}

// A party that fails again while it saves for the first time behind a damaged file.
TEST_F(CheckpointTest, WhatReplacesADamagedFileLeavesTheOneBefore) {
    const auto die_at = [](int at) {
        return [at](int party, int epochs) {
            if (party == 2 && epochs == at) throw Error(ErrorCode::kUsage, "killed");
        };
    };
    testonly::error_of([&] { (void)run(die_at(1)); }, ErrorCode::kUsage);
    const uint64_t newest = load_checkpoints(place(0)).at(0).step;
    std::filesystem::resize_file(place(1).path, 100);
    testonly::error_of([&] { (void)run(die_at(1)); }, ErrorCode::kUsage);
    const std::vector<Checkpoint> found = load_checkpoints(place(1));  // none is damaged
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].step, newest);
    EXPECT_EQ(found[1].step + 5, newest);
}

TEST_F(CheckpointTest, PartiesMustSaveAfterAsManySteps) {
    EXPECT_THAT(testonly::message_of(
                    [&] {
                        run_local([&](Party& party) {
                            const CheckpointPlace own = place(party.index());
                            Resumption(party, own, party.index() == 2 ? 7 : 5, job_, "").restore();
                        });
                    },
                    ErrorCode::kRefused),
                HasSubstr("every"));
}

// A full disk ends the job with an error, and what was saved before stays.
TEST_F(CheckpointTest, AFullDiskKeepsTheFilesBefore) {
    save_checkpoint(place(0), {5, 1, false, {SecretBytes(32), SecretBytes(32)}, "d", {}});
    SharedMatrix large(300, 300);
    std::fill(large.first.begin(), large.first.end(), Ring{1});
    std::fill(large.second.begin(), large.second.end(), Ring{2});
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small = {64 * 1024, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const std::string message = testonly::message_of(
        [&] {
            save_checkpoint(place(0),
                            {10, 1, false, {SecretBytes(32), SecretBytes(32)}, "d", {large}});
        },
        ErrorCode::kIo);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)std::signal(SIGXFSZ, ignored);
    EXPECT_THAT(message, HasSubstr(place(0).path));
    const std::vector<Checkpoint> found = load_checkpoints(place(0));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].step, 5u);
    size_t files = 0;  // nothing half-written is left
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++files;
    EXPECT_EQ(files, 1u);
}

}  // namespace
}  // namespace ward::mpc
