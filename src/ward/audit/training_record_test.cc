#include "ward/audit/training_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "ward/audit/testing/sample_records.h"
#include "ward/core/error.h"

namespace ward::audit {
namespace {

using ::testing::HasSubstr;

std::string message_of(const std::string& json, ErrorCode code = ErrorCode::kCorrupt) {
    try {
        parse_training_record(json, "r.json");
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.message();
        return error.message();
    }
    return "";
}

// The sample record's text with one piece replaced.
std::string with(const std::string& from, const std::string& to) {
    std::string text = to_json(sample_record(true));
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(TrainingRecord, SurvivesWritingAndReading) {
    for (bool with_privacy : {true, false}) {
        const TrainingRecord record = sample_record(with_privacy);
        const std::string text = to_json(record);
        const TrainingRecord again = parse_training_record(text, "r.json");
        EXPECT_EQ(to_json(again), text);
        EXPECT_EQ(again.privacy.has_value(), with_privacy);
        EXPECT_EQ(again.evaluation->right, record.evaluation->right);
        EXPECT_EQ(again.curve.back().test_accuracy, record.curve.back().test_accuracy);
        EXPECT_EQ(again.resources.peak_memory_bytes, 300'000'000);
    }
}

TEST(TrainingRecord, TakesAWholePlanAsPrivacyAndMissingExtras) {
    const std::string text = with("\"epsilon_upper\"", "\"plan_version\":1,\"epsilon_upper\"");
    EXPECT_EQ(parse_training_record(text, "r").privacy->epsilon_upper, 2.9301);
    TrainingRecord bare = sample_record(false);
    bare.evaluation.reset();
    bare.curve.clear();
    EXPECT_FALSE(parse_training_record(to_json(bare), "r").evaluation.has_value());
}

TEST(TrainingRecord, RefusesFiguresThatDisagree) {
    EXPECT_THAT(message_of(with("\"correct\": 34", "\"correct\": 35")),
                HasSubstr("r.json: evaluation: accuracy must be correct / examples = 0.875"));
    EXPECT_THAT(message_of(with("\"examples\": 40", "\"examples\": 0")),
                HasSubstr("examples must be at least 1"));
    EXPECT_THAT(message_of(with("\"right\": \"1", "\"right\": \"0")),
                HasSubstr("right must hold one character per example"));
    EXPECT_THAT(message_of(with("\"right\": \"1", "\"right\": \"x")), HasSubstr("0 and 1 only"));
    EXPECT_THAT(message_of(with("\"private\": true", "\"private\": false")),
                HasSubstr("private must be true exactly when privacy is an object"));
    EXPECT_THAT(message_of(with("\"yes\"", "\"yes\", \"maybe\"")),
                HasSubstr("a row for each of the 3 class_names"));
    TrainingRecord record = sample_record(true);
    record.evaluation->confusion[0][0] += 1;
    EXPECT_THAT(message_of(to_json(record)), HasSubstr("confusion has 41 examples, 35 of them"));
    record.evaluation->confusion[0].pop_back();
    EXPECT_THAT(message_of(to_json(record)), HasSubstr("confusion must be square"));
}

TEST(TrainingRecord, RefusesFiguresOutOfRange) {
    EXPECT_THAT(message_of(with("\"epsilon_upper\": 2.9301", "\"epsilon_upper\": -1")),
                HasSubstr("r.json: privacy: epsilon_upper must be a number between 0 and"));
    EXPECT_THAT(message_of(with("\"epsilon_lower\": 2.929", "\"epsilon_lower\": 3")),
                HasSubstr("epsilon_lower must be a number between 0 and 2.9301, got 3"));
    EXPECT_THAT(message_of(with("\"delta\": 1e-05", "\"delta\": 0")), HasSubstr("delta must be"));
    EXPECT_THAT(message_of(with("\"sampling_rate\": 0.1", "\"sampling_rate\": 1.5")),
                HasSubstr("sampling_rate must be a number between 0 and 1, got 1.5"));
    EXPECT_THAT(message_of(with("\"test_accuracy\": 0.5", "\"test_accuracy\": \"high\"")),
                HasSubstr("r.json: curve[0]: test_accuracy must be a number"));
    EXPECT_THAT(message_of(with("\"threads\": 2", "\"threads\": -2")),
                HasSubstr("threads must be a whole number >= 0"));
}

TEST(TrainingRecord, RefusesOtherDocuments) {
    EXPECT_THAT(message_of("{"), HasSubstr("r.json: not valid JSON"));
    EXPECT_THAT(message_of("[]"), HasSubstr("must be a JSON object"));
    EXPECT_THAT(message_of("{}"), HasSubstr("format is missing"));
    EXPECT_THAT(message_of(std::string(100000, '[')), HasSubstr("nested too deep"));
    EXPECT_THAT(message_of(R"({"format":"ward-training-record-2"})", ErrorCode::kUnsupported),
                HasSubstr("format must be \"ward-training-record-1\""));
    EXPECT_THAT(message_of(with("\"software\"", "\"softwear\"")),
                HasSubstr("unknown member \"softwear\""));
    EXPECT_THAT(message_of(with("\"name\": \"toy\"", "\"name\": 7")),
                HasSubstr("r.json: data: name must be a string"));
}

}  // namespace
}  // namespace ward::audit
