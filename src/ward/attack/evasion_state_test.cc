#include "ward/attack/evasion_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "ward/attack/testing/linear_target.h"
#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using testonly::LinearModel;
using testonly::middle_points;
using ward::testonly::error_of;
using ward::testonly::message_of;

constexpr int64_t kFeatures = 20, kExamples = 30;

class EvasionStates : public ::testing::Test {
  protected:
    EvasionStates() {
        set_progress_mode(ProgressMode::kOff);
        std::filesystem::remove(path_);
        options_.epsilon = 0.02;
        options_.batch = 8;
        options_.state = path_;
        options_.target_mark = "linear";
    }

    // The call of the model with this number fails; 0: none.
    EvasionResult run(const std::string& attack, int64_t failing = 0) {
        calls_ = 0;
        Target target([this, failing](const at::Tensor& x) {
            if (++calls_ == failing) throw Error(ErrorCode::kIo, "killed");
            // Rounded: there is no gradient.
            return flat_ ? model_.logits((x * 50).round() / 50) + 0 * x.sum() : model_.logits(x);
        });
        const auto made = make_attack(attack, options_);
        return evade(target, *made, points_, options_);
    }

    void spoil(int64_t place, char byte) const {
        std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(place);
        file.put(byte);
    }

    const std::string path_ = ::testing::TempDir() + "ward_evasion.state";
    const LinearModel model_ = LinearModel::make(4, kFeatures, 3);
    at::Tensor x_ = (middle_points(kExamples, kFeatures, 4) * 50).round() / 50;
    Points points_{x_, model_.logits(x_).argmax(1), at::Tensor()};
    EvasionOptions options_;
    int64_t calls_ = 0;  // of the last run
    bool flat_ = false;
};

void expect_same(const EvasionResult& a, const EvasionResult& b) {
    EXPECT_EQ(a.robust, b.robust);
    EXPECT_TRUE(a.adversarial.equal(b.adversarial));
    EXPECT_EQ(a.forward_per_example, b.forward_per_example);
    EXPECT_EQ(a.backward_per_example, b.backward_per_example);
    EXPECT_EQ(a.flags, b.flags);
    EXPECT_EQ(a.partial, b.partial);
}

TEST_F(EvasionStates, ARunThatDiedEndsAsOneThatDidNot) {
    for (const std::string name : {"pgd", "square", "autoattack"}) {
        options_.random_start = name == "pgd";
        options_.steps = name == "autoattack" ? 0 : 30;
        options_.state.clear();
        const EvasionResult whole = run(name);
        const int64_t calls = calls_;
        options_.state = path_;
        std::filesystem::remove(path_);
        const EvasionResult cut = run(name, 2 * calls / 3);
        EXPECT_EQ(cut.partial, "killed") << name;
        EXPECT_LT(cut.robust.size(), whole.robust.size());
        const EvasionResult resumed = run(name);
        EXPECT_GT(resumed.resumed, 0) << name;
        EXPECT_LT(resumed.resumed, kExamples) << name;
        expect_same(resumed, whole);
        const EvasionResult replayed = run(name);
        EXPECT_LE(calls_, 4) << "the canonical passes alone";
        EXPECT_EQ(replayed.resumed, kExamples) << name;
        expect_same(replayed, whole);
        EXPECT_GT(replayed.cpu_seconds, 0) << "of all that led there";
    }
}

TEST_F(EvasionStates, FlagsOfBatchesBeforeAreKept) {
    flat_ = true;
    options_.state.clear();
    const EvasionResult whole = run("autoattack");
    EXPECT_THAT(whole.flags, ::testing::Contains(HasSubstr("is zero for 30 of 30 examples")));
    options_.state = path_;
    int64_t batches = 0;
    options_.stop = [&] { return ++batches == 3; };
    EXPECT_EQ(run("autoattack").partial, "stopped");
    options_.stop = nullptr;
    EXPECT_EQ(run("autoattack").flags, whole.flags);
}

TEST_F(EvasionStates, ATornTailIsMadeAgain) {
    const EvasionResult whole = run("pgd");
    const auto size = std::filesystem::file_size(path_);
    for (const uint64_t lost : {uint64_t{1}, uint64_t{100}, size - 200, size - 30, size - 3}) {
        std::filesystem::resize_file(path_, size - lost);
        expect_same(run("pgd"), whole);
        EXPECT_NEAR(double(std::filesystem::file_size(path_)), double(size), 20) << lost;
    }
}

TEST_F(EvasionStates, RefusesTheStateOfAnotherRun) {
    run("pgd");
    const auto refused = [&] { return error_of([&] { run("pgd"); }, ErrorCode::kRefused); };
    const EvasionOptions same = options_;
    options_.seed = 1;
    EXPECT_THAT(refused(), HasSubstr("is the state of another run: other options, model or "
                                     "examples | give each run a state of its own"));
    options_ = same;
    options_.target_mark = "another";
    EXPECT_THAT(refused(), HasSubstr("another run"));
    options_ = same;
    options_.epsilon *= 2;
    EXPECT_THAT(refused(), HasSubstr("another run"));
    options_ = same;
    points_.x = points_.x.clone();
    points_.x[3][5] += 1e-3;
    EXPECT_THAT(refused(), HasSubstr("another run"));
}

TEST_F(EvasionStates, RefusesDamage) {
    run("pgd");
    spoil(400, '!');  // in the first batch
    EXPECT_THAT(message_of([&] { run("pgd"); }, ErrorCode::kCorrupt),
                HasSubstr("is damaged in batch 1"));
    spoil(19, '2');
    EXPECT_THAT(message_of([&] { run("pgd"); }, ErrorCode::kCorrupt),
                HasSubstr("is not the state of an evasion run, version 1"));
    std::filesystem::remove(path_);
    const EvasionState held(path_, "x");
    EXPECT_THAT(message_of([&] { run("pgd"); }, ErrorCode::kRefused), HasSubstr("another process"));
}

}  // namespace
}  // namespace ward::attack
