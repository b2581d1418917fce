#include "ward/mpc/psi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "ward/core/testing/errors.h"
#include "ward/crypto/ristretto.h"

namespace ward::mpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Ids = std::vector<std::string>;

struct Both {
    PsiResult first, second;
};

Both run(const Ids& first, const Ids& second, const PsiOptions& options) {
    auto [to_second, to_first] = net::local_channels("first", "second");
    Both out;
    std::thread other(
        [&, peer = to_first.get()] { out.second = intersect(*peer, second, options); });
    out.first = intersect(*to_second, first, options);
    other.join();
    return out;
}

TEST(Psi, TellsEachOwnerItsOwnRows) {
    const Both got = run({"ann", "bob", "eve", "zoe"}, {"zoe", "kim", "bob"}, {.domain = "t"});
    EXPECT_THAT(got.first.rows, ElementsAre(1, 3));
    EXPECT_THAT(got.second.rows, ElementsAre(0, 2));
    EXPECT_EQ(got.first.size, 2u);
    EXPECT_EQ(got.first.peer_rows, 3u);
    EXPECT_EQ(got.second.peer_rows, 4u);
}

TEST(Psi, OfSizeAloneTellsNoRows) {
    const Both got = run({"ann", "bob", "eve", "zoe"}, {"zoe", "kim", "bob"},
                         {.domain = "t", .output = PsiOutput::kSize});
    EXPECT_EQ(got.first.size, 2u);
    EXPECT_EQ(got.second.size, 2u);
    EXPECT_THAT(got.first.rows, IsEmpty());
    EXPECT_THAT(got.second.rows, IsEmpty());
}

TEST(Psi, OfDisjointEmptyAndEqualSets) {
    EXPECT_EQ(run({"a", "b"}, {"c"}, {}).first.size, 0u);
    EXPECT_EQ(run({}, {"c"}, {}).first.size, 0u);
    EXPECT_EQ(run({}, {}, {}).second.size, 0u);
    EXPECT_THAT(run({"a", "b"}, {"b", "a"}, {}).first.rows, ElementsAre(0, 1));
}

TEST(Psi, OfSeveralHundredRows) {
    Ids first, second;
    std::vector<size_t> expected;
    for (size_t i = 0; i < 400; ++i) {
        first.push_back("id " + std::to_string(i));
        if (i % 3 == 0) expected.push_back(i);
        if (i % 3 == 0) second.push_back(first.back());
        second.push_back("other " + std::to_string(i));
    }
    EXPECT_EQ(run(first, second, {.domain = "x"}).first.rows, expected);
}

TEST(Psi, RefusesRepeatedIdentifiersBeforeAnythingIsSent) {
    auto [one, other] = net::local_channels("first", "second");
    const Ids twice = {"a", "b", "a"};
    EXPECT_THAT(testonly::message_of([&, peer = one.get()] { (void)intersect(*peer, twice, {}); }),
                HasSubstr("row 2 stands in an earlier row"));
    EXPECT_EQ(one->wire_bytes_sent(), 0u);
}

TEST(Psi, RefusesAPeerWithAnotherDomain) {
    auto [one, other] = net::local_channels("first", "second");
    const Ids ids = {"a"};
    std::thread thread([&, peer = other.get()] {
        EXPECT_THAT(testonly::message_of([&] { (void)intersect(*peer, ids, {.domain = "x"}); },
                                         ErrorCode::kRefused),
                    HasSubstr("another intersection"));
    });
    EXPECT_THAT(testonly::message_of(
                    [&, peer = one.get()] { (void)intersect(*peer, ids, {.domain = "y"}); },
                    ErrorCode::kRefused),
                HasSubstr("\"second\" wants another intersection"));
    thread.join();
}

// What goes over the wire before the second blinding: never the bare hash of an identifier.
TEST(Psi, BlindsWithFreshExponents) {
    const Ids ids = {"a"};
    std::vector<Bytes> seen;
    for (int i = 0; i < 2; ++i) {
        auto [one, other] = net::local_channels("first", "second");
        std::thread thread([&, peer = other.get()] {
            testonly::error_of([&] { (void)intersect(*peer, ids, {}); }, ErrorCode::kCorrupt);
        });
        // A peer that follows up to the blinded elements and then hangs up.
        Bytes agreed(64), count(8), blinded(crypto::kRistrettoBytes);
        one->receive(1, agreed);
        one->send(1, agreed);
        one->receive(2, count);
        one->send(2, count);
        one->receive(3, blinded);
        seen.push_back(blinded);
        one->send(3, Bytes(crypto::kRistrettoBytes, 0));  // the identity is refused
        thread.join();
    }
    EXPECT_NE(seen[0], seen[1]);
}

}  // namespace
}  // namespace ward::mpc
