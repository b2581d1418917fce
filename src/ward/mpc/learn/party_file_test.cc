#include "ward/mpc/learn/party_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/core/testing/errors.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

const std::string kGood =
    "ward_mpc_party: 1\nindex: 2\nidentity: bank-c\nlisten: 0.0.0.0:7070\n"
    "next:\n  name: bank-a\n  pin: sha256/abc\n  address: '[::1]:7071'\n"
    "previous:\n  name: bank-b\n  pin: sha256/def\n";

TEST(PartyFile, ReadsAllKeys) {
    const PartyFile party = parse_party(kGood +
                                            "data: digits\nkeys: /k\ncheckpoint: a.state\n"
                                            "checkpoint_key: a.key\ncheckpoint_steps: 7\n"
                                            "connect_seconds: 9\nsilence_seconds: 8\n",
                                        "party.yaml");
    EXPECT_EQ(party.index, 2);
    EXPECT_EQ(party.identity, "bank-c");
    EXPECT_EQ(party.keys, "/k");
    EXPECT_EQ(party.listen.host, "0.0.0.0");
    EXPECT_EQ(party.listen.port, 7070);
    EXPECT_EQ(party.next_address.host, "::1");
    EXPECT_EQ(party.next_address.port, 7071);
    EXPECT_EQ(party.next.name, "bank-a");
    EXPECT_EQ(party.previous.pin, "sha256/def");
    EXPECT_EQ(party.data, "digits");
    EXPECT_EQ(party.checkpoint, "a.state");
    EXPECT_EQ(party.checkpoint_steps, 7u);
    EXPECT_EQ(party.connect_seconds, 9u);
    EXPECT_EQ(party.silence_seconds, 8u);
}

TEST(PartyFile, NamesTheSharesOfOwners) {
    const PartyFile party =
        parse_party(kGood + "shares: [a.2.share, b.2.share]\nshares_key: k\n", "p.yaml");
    EXPECT_THAT(party.shares, ::testing::ElementsAre("a.2.share", "b.2.share"));
    EXPECT_EQ(party.shares_key, "k");
    EXPECT_THAT(testonly::message_of([] { (void)parse_party(kGood + "shares: [a]\n", "p.yaml"); }),
                HasSubstr("shares and shares_key go together"));
    EXPECT_THAT(testonly::message_of([] { (void)parse_party(kGood + "shares: a\n", "p.yaml"); }),
                HasSubstr("list of 1 to 16 files"));
}

TEST(PartyFile, RefusesWithFileAndLine) {
    const auto refusal = [](const std::string& text) {
        return testonly::message_of([&] { (void)parse_party(text, "p.yaml"); });
    };
    EXPECT_THAT(refusal(kGood + "colour: red\n"),
                HasSubstr("p.yaml line 12: there is no key colour"));
    EXPECT_THAT(refusal(kGood + "index: 1\n"), HasSubstr("line 12: index stands twice"));
    EXPECT_THAT(refusal(kGood + "checkpoint: a\n"), HasSubstr("checkpoint_key go together"));
    EXPECT_THAT(refusal("ward_mpc_party: 1\nindex: 3\n"), HasSubstr("from 0 to 2"));
    EXPECT_THAT(refusal("ward_mpc_party: 1\nindex: 1\n"), HasSubstr("identity is missing"));
    EXPECT_THAT(refusal("ward_mpc_party: 1\nlisten: 7070\n"), HasSubstr("HOST:PORT, got 7070"));
    EXPECT_THAT(refusal("ward_mpc_party: 1\nlisten: h:99999\n"), HasSubstr("HOST:PORT"));
    EXPECT_THAT(refusal("next:\n  name: a\n"), HasSubstr("next has no pin"));
    EXPECT_THAT(refusal("previous:\n  address: a:1\n"), HasSubstr("no key address in previous"));
    std::string twice = kGood;
    twice.replace(twice.find("sha256/def"), 10, "sha256/abc");
    EXPECT_THAT(refusal(twice), HasSubstr("names and pins of their own"));
    EXPECT_THAT(refusal("[1, 2]"), HasSubstr("list of `key: value`"));
    EXPECT_THAT(refusal("a: ]"), HasSubstr("not YAML"));
}

}  // namespace
}  // namespace ward::mpc
