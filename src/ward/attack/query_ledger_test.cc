#include "ward/attack/query_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "ward/core/file.h"
#include "ward/core/testing/errors.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

class LedgerTest : public ::testing::Test {
  protected:
    LedgerTest() {
        std::filesystem::remove(path);
        std::filesystem::remove(path + ".lock");
    }
    ~LedgerTest() override { std::filesystem::remove(path); }

    static std::string digest(int64_t i) {
        const auto value = static_cast<float>(i);
        return query_digest({1}, &value, 1);
    }

    void write_three() const {
        QueryLedger ledger(path, "t");
        ledger.sent({digest(1), digest(2)});
        ledger.answered({digest(1), digest(2)}, {{0, 0.1f}, {0, 1e-30f, 3}});
        ledger.sent({digest(3)});
    }

    const std::string path = ::testing::TempDir() + "ward_ledger_" +
                             ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(LedgerTest, RemembersAnswersExactlyAndWhatWasLost) {
    write_three();
    const QueryLedger again(path, "t");
    EXPECT_EQ(again.answers(), 2);
    EXPECT_EQ(*again.find(digest(2)), (std::vector<float>{0, 1e-30f, 3}));
    EXPECT_EQ(again.find(digest(3)), nullptr);
    EXPECT_TRUE(again.lost(digest(3)));
    EXPECT_FALSE(again.lost(digest(1)));
    EXPECT_FALSE(again.cut_tail());
    using std::filesystem::perms;
    EXPECT_EQ(std::filesystem::status(path).permissions() & (perms::group_all | perms::others_all),
              perms::none);
}

TEST_F(LedgerTest, WhatWasRefusedIsNotLost) {
    {
        QueryLedger ledger(path, "t");
        ledger.sent({digest(1)});
        ledger.not_served({digest(1)});
    }
    EXPECT_FALSE(QueryLedger(path, "t").lost(digest(1)));
}

// Whatever is torn off at the end, what remains is a ledger with a prefix of the answers.
TEST_F(LedgerTest, SurvivesATailTornOffAnywhere) {
    write_three();
    const std::string whole = read_text_file(path);
    for (size_t size = 0; size < whole.size(); size += 3) {
        write_file_atomically(path, whole.substr(0, size));
        QueryLedger ledger(path, "t");
        EXPECT_LE(ledger.answers(), 2);
        if (ledger.find(digest(2)) != nullptr) {
            EXPECT_EQ(ledger.find(digest(2))->size(), 3u);
        }
        ledger.answered({digest(9)}, {{2, 7}});
        if (size % 40 != 0) continue;  // and it can be written on and read again
        const std::string then = read_text_file(path);
        EXPECT_EQ(then.back(), '\n');
    }
    write_file_atomically(path, whole + std::string(100, '\0'));
    EXPECT_TRUE(QueryLedger(path, "t").cut_tail());
    EXPECT_EQ(read_text_file(path), whole);
}

TEST_F(LedgerTest, RefusesDamageOtherTargetsAndASecondProcess) {
    write_three();
    std::string whole = read_text_file(path);
    EXPECT_THAT(message_of([&] { QueryLedger(path, "u"); }, ErrorCode::kRefused),
                HasSubstr("another target"));
    {
        const QueryLedger first(path, "t");
        EXPECT_THAT(message_of([&] { QueryLedger(path, "t"); }, ErrorCode::kRefused),
                    HasSubstr("held by another process"));
    }
    whole[whole.find("0.1")] = '7';
    write_file_atomically(path, whole);
    EXPECT_THAT(message_of([&] { QueryLedger(path, "t"); }, ErrorCode::kCorrupt),
                HasSubstr("damaged before line"));
    write_file_atomically(path, std::string("id,name\n1,2\n"));
    EXPECT_THAT(message_of([&] { QueryLedger(path, "t"); }, ErrorCode::kCorrupt),
                HasSubstr("not a query ledger"));
}

}  // namespace
}  // namespace ward::attack
