#include "ward/data/libsvm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/core/testing/errors.h"

namespace ward::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string error_of(const std::string& text, int64_t features = 0) {
    return testonly::message_of([&] { parse_libsvm(text, "f", features); });
}

TEST(Libsvm, SparseLinesBecomeDenseRows) {
    const LibsvmData data =
        parse_libsvm("# made by hand\n2 1:0.5 3:-1e2\r\n\n-7\n2\t2:+3 # end", "f");
    EXPECT_THAT(data.features.shape, ElementsAre(3, 3));
    const double expected[] = {0.5, 0, -100, 0, 0, 0, 0, 3, 0};
    for (int64_t i = 0; i < 9; ++i) EXPECT_EQ(data.features.at(i), expected[i]) << i;
    EXPECT_THAT(data.class_names, ElementsAre("-7", "2"));
    EXPECT_THAT(data.labels, ElementsAre(1, 0, 1));
    EXPECT_THAT(parse_libsvm("1 1:1\n", "f", 5).features.shape, ElementsAre(1, 5));
    EXPECT_THAT(parse_libsvm("1\n0\n", "f").features.shape, ElementsAre(2, 1));
}

TEST(Libsvm, ErrorsNameTheLine) {
    EXPECT_EQ(error_of("1 1:1\n1 x\n"), "f line 2: expected index:value, got 'x'");
    EXPECT_THAT(error_of("1 2:1 2:1"), HasSubstr("f line 1: expected an index above 2, got '2:1'"));
    EXPECT_THAT(error_of("1 0:1"), HasSubstr("an index from 1"));
    EXPECT_THAT(error_of("1 100000001:1"), HasSubstr("an index from 1 to 100000000"));
    EXPECT_THAT(error_of("1 99999999999999999999:1"), HasSubstr("an index before the colon"));
    EXPECT_THAT(error_of("1 qid:3 1:1"), HasSubstr("an index before the colon, got 'qid:3'"));
    EXPECT_THAT(error_of("1 1:nan"), HasSubstr("a finite number"));
    EXPECT_THAT(error_of("1 1:1e39"), HasSubstr("fits in 32 bits"));
    EXPECT_THAT(error_of("yes 1:1"), HasSubstr("a class number, got 'yes'"));
    EXPECT_THAT(error_of("1.5 1:1"), HasSubstr("targets of a regression are not read"));
    EXPECT_THAT(error_of("# nothing\n"), HasSubstr("f holds no examples"));
    EXPECT_THAT(error_of("1 6:1", 5), HasSubstr("expected an index up to 5, got 6"));
    std::string wide;
    for (int i = 0; i < 100; ++i) wide += "1 100000000:1\n";
    EXPECT_THAT(error_of(wide), HasSubstr("do not fit in"));
}

}  // namespace
}  // namespace ward::data
