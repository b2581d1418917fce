#include "ward/mpc/share_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/mpc/fixed_point.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

std::array<ShareFile, 3> example(uint64_t seed = 1) {
    Random random = testonly::seeded_random(seed);
    const RingMatrix matrices[] = {encode(std::vector<double>{1, -2, 3, 4.5, 0, 7}, 3, 2, "x"),
                                   RingMatrix(3, 0)};
    return split_to_files("bank-a", R"({"features":["age","income"]})", matrices, random);
}

ShareFile reread(const ShareFile& file) { return parse_share_file(write_share_file(file), "file"); }

TEST(ShareFile, AnyTwoPartsGiveTheValues) {
    const auto files = example();
    const std::vector<double> expected = {1, -2, 3, 4.5, 0, 7};
    for (const auto& chosen : {std::vector<int>{0, 1}, {1, 2}, {2, 0}, {0, 1, 2}, {2, 1, 0}}) {
        std::vector<ShareFile> some;
        for (int i : chosen) some.push_back(reread(files[static_cast<size_t>(i)]));
        const std::vector<RingMatrix> values = combine(some);
        ASSERT_EQ(values.size(), 2u);
        EXPECT_EQ(decode(values[0]), expected);
        EXPECT_EQ(values[1].rows, 3u);
    }
    EXPECT_EQ(files[0].id, files[2].id);
    EXPECT_NE(files[0].id, example(2)[0].id);
}

TEST(ShareFile, WhatIsChangedIsFound) {
    const ShareFile file = example()[1];
    const Bytes whole = write_share_file(file);
    for (size_t at = 0; at < whole.size(); ++at) {
        Bytes changed = whole;
        changed[at] ^= 1;
        EXPECT_THROW((void)parse_share_file(changed, "f"), Error) << "byte " << at;
    }
    for (size_t size = 0; size < whole.size(); size += 7) {
        EXPECT_THROW((void)parse_share_file(ByteView(whole).first(size), "f"), Error);
    }
    EXPECT_THAT(testonly::message_of([&] { (void)parse_share_file({}, "f"); }, ErrorCode::kCorrupt),
                HasSubstr("f: is no share file"));
    Bytes newer = whole;
    newer[8] = 2;
    EXPECT_THAT(
        testonly::message_of([&] { (void)parse_share_file(newer, "f"); }, ErrorCode::kUnsupported),
        HasSubstr("version 2, expected 1"));
    ShareFile renamed = file;
    renamed.name = "bank-b";
    EXPECT_THAT(testonly::message_of([&] { (void)reread(renamed); }, ErrorCode::kCorrupt),
                HasSubstr("the id is not that of the data"));
}

TEST(ShareFile, PartsOfDifferentThingsDoNotCombine) {
    const auto files = example(), others = example(2);
    const auto refused = [](std::vector<ShareFile> some, ErrorCode code) {
        return testonly::message_of([&] { (void)combine(some); }, code);
    };
    EXPECT_THAT(refused({files[0]}, ErrorCode::kUsage), HasSubstr("two files"));
    EXPECT_THAT(refused({files[0], files[0]}, ErrorCode::kUsage), HasSubstr("are of party 0"));
    EXPECT_THAT(refused({files[0], others[1]}, ErrorCode::kUsage), HasSubstr("different things"));
    // A party that gives another share of a result than the second holder of its part.
    std::vector<ShareFile> results;
    for (const ShareFile& file : files) {
        results.push_back(result_file("scores", "s", "job", "{}", file.party, file.matrices));
    }
    EXPECT_EQ(decode(combine(results)[0])[3], 4.5);
    std::vector<SharedMatrix> wrong = files[1].matrices;
    wrong[0].first[2] += 1;
    results[1] = result_file("scores", "s", "job", "{}", 1, wrong);
    EXPECT_THAT(refused(results, ErrorCode::kCorrupt), HasSubstr("parties 0 and 1 give different"));
}

}  // namespace
}  // namespace ward::mpc
