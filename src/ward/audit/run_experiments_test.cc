#include "ward/audit/run_experiments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "ward/core/file.h"
#include "ward/core/testing/errors.h"

namespace ward::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ward::testonly::message_of;

AuditPlan three() {
    AuditPlan plan;
    for (const char* id : {"a", "b", "c"}) {
        plan.experiments.emplace_back();
        plan.experiments.back().id = id;
    }
    return plan;
}

struct Bench {
    explicit Bench(const std::string& name)
        : state(::testing::TempDir() + "ward_experiments_" + name) {
        std::filesystem::remove(state);
    }

    std::vector<ExperimentResult> run(const std::string& fails = "", bool fresh = false,
                                      const AuditPlan& plan = three()) {
        ran.clear();
        return run_experiments(plan,
                               [&](const ExperimentSpec& spec) {
                                   ran.push_back(spec.id);
                                   if (spec.id == fails) throw Error(code, "no data");
                                   ExperimentResult result;
                                   result.clean_accuracy = 0.25;
                                   result.robust = {{0.5, 0.25, {0, 1}, 0}};
                                   return result;
                               },
                               {state, fingerprint, fresh, &stop});
    }

    std::string state, fingerprint = "x";
    std::vector<std::string> ran;
    ErrorCode code = ErrorCode::kInvalid;
    std::atomic<bool> stop{false};
};

TEST(RunExperiments, OneThatFailsDoesNotStopTheOthersAndIsTriedAgain) {
    Bench bench("fails");
    const auto first = bench.run("b");
    EXPECT_THAT(bench.ran, ElementsAre("a", "b", "c"));
    EXPECT_EQ(first[1].status, ExperimentStatus::kFailed);
    EXPECT_EQ(first[1].reason, "no data");
    const auto second = bench.run();
    EXPECT_THAT(bench.ran, ElementsAre("b")) << "what is done is not done again";
    ASSERT_EQ(second.size(), 3u);
    EXPECT_EQ(second[0].spec.id, "a");
    EXPECT_EQ(second[0].clean_accuracy, 0.25);
    EXPECT_EQ(second[1].status, ExperimentStatus::kDone);
    bench.run("", true);
    EXPECT_THAT(bench.ran, ElementsAre("a", "b", "c")) << "--fresh";
}

TEST(RunExperiments, ARunThatIsInterruptedGoesOn) {
    Bench bench("interrupted");
    bench.code = ErrorCode::kInterrupted;
    EXPECT_THAT(message_of([&] { bench.run("b"); }, ErrorCode::kInterrupted), HasSubstr("no data"));
    bench.stop = true;
    EXPECT_THAT(message_of([&] { bench.run(); }, ErrorCode::kInterrupted),
                HasSubstr("stopped after 1 of 3 experiments"));
    bench.stop = false;
    bench.run();
    EXPECT_THAT(bench.ran, ElementsAre("b", "c"));
}

TEST(RunExperiments, TheBudgetSkipsWhatIsLeft) {
    Bench bench("budget");
    AuditPlan plan = three();
    plan.budget_seconds = 1e-12;
    const auto results = bench.run("", false, plan);
    EXPECT_THAT(bench.ran, ElementsAre("a"));
    EXPECT_EQ(results[2].status, ExperimentStatus::kSkipped);
    EXPECT_THAT(results[2].reason, HasSubstr("budget"));
    plan.budget_seconds = 0;
    bench.run("", false, plan);
    EXPECT_THAT(bench.ran, ElementsAre("b", "c")) << "with more time they get their turn";
}

TEST(RunExperiments, AStateOfSomethingElseIsRefused) {
    Bench bench("other");
    bench.run();
    bench.fingerprint = "y";
    EXPECT_THAT(message_of([&] { bench.run(); }, ErrorCode::kRefused),
                HasSubstr("another model, other data or another plan"));
    write_file_atomically(bench.state, std::string_view("{"));
    EXPECT_THAT(message_of([&] { bench.run(); }, ErrorCode::kCorrupt),
                HasSubstr("not the state of an audit"));
    write_file_atomically(bench.state,
                          std::string_view(R"({"fingerprint": "y", "results": [{"a": 1}]})"));
    EXPECT_THAT(message_of([&] { bench.run(); }, ErrorCode::kCorrupt),
                HasSubstr("does not hold results"));
}

}  // namespace
}  // namespace ward::audit
