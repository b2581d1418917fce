#include "ward/net/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <future>
#include <numeric>
#include <thread>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/net/internal/frame.h"

namespace ward::net {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testonly::message_of;

constexpr uint32_t kTag = 7;

Bytes counting(size_t size) {
    Bytes data(size);
    std::iota(data.begin(), data.end(), uint8_t{0});
    return data;
}

// A channel whose peer is the test itself, which writes raw bytes.
struct RawPeer {
    explicit RawPeer(const ChannelOptions& options = {}) {
        auto [one, other] = memory_pipe({.timeout = std::chrono::milliseconds(2000)});
        raw = std::move(one);
        channel = std::make_unique<Channel>(std::move(other), "mallory", options);
        channel->set_ledger(&ledger);
    }
    void write(internal::FrameHeader header, ByteView payload = {}) {
        raw->write(internal::encode_frame_header(header));
        raw->write(payload);
    }

    TrafficLedger ledger;
    std::unique_ptr<ByteStream> raw;
    std::unique_ptr<Channel> channel;
};

TEST(Channel, CarriesMessagesOfAllLengthsInOrder) {
    auto [alice, bob] = local_channels("alice", "bob");
    EXPECT_EQ(alice->peer(), "bob");
    EXPECT_EQ(bob->peer(), "alice");
    const std::vector<size_t> lengths = {0, 1, 15, 32 * 1024, 32 * 1024 + 1, 3'000'000, 5};
    for (size_t length : lengths) {
        const Bytes data = counting(length);
        auto sending =
            std::async(std::launch::async, [&, a = alice.get()] { a->send(kTag, data); });
        Bytes got(length);
        bob->receive(kTag, got);
        sending.get();
        EXPECT_EQ(got, data);
    }
}

TEST(Channel, TwoPartiesThatSendBeforeTheyReceiveDoNotBlock) {
    auto [alice, bob] =
        local_channels("alice", "bob", {.timeout = std::chrono::milliseconds(10'000)});
    const Bytes data = counting(6'000'000);
    const auto exchange = [&](Channel& channel) {
        channel.begin_send(kTag, data);
        channel.begin_send(kTag + 1, ByteView(data).first(10));  // must stay behind the large one
        Bytes got(data.size());
        channel.receive(kTag, got);
        Bytes small(10);
        channel.receive(kTag + 1, small);
        channel.finish_sends();
        return got == data && small == counting(10);
    };
    auto other = std::async(std::launch::async, [&, b = bob.get()] { return exchange(*b); });
    EXPECT_TRUE(exchange(*alice));
    EXPECT_TRUE(other.get());
}

TEST(Channel, CountsBytesAndMessagesPerNamedStep) {
    auto [alice, bob] = local_channels("alice", "bob");
    TrafficLedger ledger;
    alice->set_ledger(&ledger);
    {
        const TrafficLedger::Scope train(ledger, "train");
        const TrafficLedger::Scope relu(ledger, "relu");
        alice->send(kTag, counting(100));
        ledger.add_round();
    }
    alice->send(kTag, counting(3));
    bob->send(kTag, counting(8));
    Bytes got(8);
    alice->receive(kTag, got);
    EXPECT_EQ(ledger.total("train/relu"),
              (Traffic{.bytes_sent = 116, .messages_sent = 1, .rounds = 1}));
    EXPECT_EQ(ledger.total("train"), ledger.total("train/relu"));
    EXPECT_EQ(ledger.total("tra"), Traffic{});
    EXPECT_EQ(
        ledger.total(),
        (Traffic{.bytes_sent = 116 + 19, .bytes_received = 24, .messages_sent = 2, .rounds = 1}));
    EXPECT_EQ(alice->wire_bytes_sent(), 116u + 19u);
}

TEST(Channel, RefusesFramesThatAreNotWhatTheyMustBe) {
    Bytes out(4);
    const auto refused = [&](internal::FrameHeader header) {
        RawPeer peer;
        const TrafficLedger::Scope scope(peer.ledger, "relu");
        peer.write(header, counting(4));
        return message_of([&] { peer.channel->receive(kTag, out); }, ErrorCode::kCorrupt);
    };
    using enum internal::FrameKind;
    EXPECT_THAT(refused({kData, 0, kTag + 1, 4}),
                AllOf(HasSubstr("\"mallory\" in step relu"), HasSubstr("tag 8, expected 7")));
    EXPECT_THAT(refused({kData, 1, kTag, 4}), HasSubstr("message number 1, expected 0"));
    EXPECT_THAT(refused({kData, 0, kTag, 5}), HasSubstr("message of 5 bytes, expected 4"));
}

TEST(Channel, RefusesAReplayedFrame) {
    RawPeer peer;
    Bytes out(4);
    peer.write({internal::FrameKind::kData, 0, kTag, 4}, counting(4));
    peer.channel->receive(kTag, out);
    peer.write({internal::FrameKind::kData, 0, kTag, 4}, counting(4));
    EXPECT_THAT(message_of([&] { peer.channel->receive(kTag, out); }, ErrorCode::kCorrupt),
                HasSubstr("message number 0, expected 1"));
}

TEST(Channel, ChecksLengthsBeforeItTakesMemory) {
    RawPeer capped({.max_message_bytes = 1000});
    capped.write({internal::FrameKind::kData, 0, kTag, 1001});
    EXPECT_THAT(
        message_of([&] { (void)capped.channel->receive_any(kTag, 5000); }, ErrorCode::kCorrupt),
        HasSubstr("1001 bytes, expected at most 1000"));
    RawPeer asked;
    asked.write({internal::FrameKind::kData, 0, kTag, 0x3fff'ffff});
    EXPECT_THAT(
        message_of([&] { (void)asked.channel->receive_any(kTag, 64); }, ErrorCode::kCorrupt),
        HasSubstr("expected at most 64"));
    const Bytes data(1001);
    EXPECT_THAT(message_of([&] { capped.channel->send(kTag, data); }, ErrorCode::kUsage),
                HasSubstr("at most 1000 bytes, got 1001"));
}

TEST(Channel, RefusesBytesThatAreNoFrame) {
    const auto refused = [](size_t position, uint8_t value, ErrorCode code) {
        RawPeer peer;
        auto header = internal::encode_frame_header({internal::FrameKind::kData, 0, kTag, 0});
        header[position] = value;
        peer.raw->write(header);
        return message_of([&] { peer.channel->receive(kTag, {}); }, code);
    };
    EXPECT_THAT(refused(0, 'X', ErrorCode::kCorrupt), HasSubstr("no frame"));
    EXPECT_THAT(refused(2, 9, ErrorCode::kUnsupported), HasSubstr("version 9, expected 1"));
    EXPECT_THAT(refused(3, 3, ErrorCode::kCorrupt), HasSubstr("kind 3"));
}

TEST(Channel, TellsThePeerWhyItStops) {
    auto [alice, bob] = local_channels("alice", "bob");
    bob->send_failure("disk full\n\x1b[31m");
    EXPECT_THAT(message_of([&, a = alice.get()] { a->receive(kTag, {}); }, ErrorCode::kIo),
                AllOf(HasSubstr("\"bob\""), HasSubstr("disk full??[31m")));
}

TEST(Channel, TimeoutsNamePeerAndStep) {
    auto [alice, bob] = local_channels("alice", "bob", {.timeout = std::chrono::milliseconds(20)});
    TrafficLedger ledger;
    alice->set_ledger(&ledger);
    const TrafficLedger::Scope scope(ledger, "softmax");
    EXPECT_THAT(message_of([&, a = alice.get()] { a->receive(kTag, {}); }, ErrorCode::kIo),
                AllOf(HasSubstr("\"bob\" in step softmax"), HasSubstr("20 ms")));
}

TEST(Channel, ALostPeerIsAnErrorForSenderAndReceiver) {
    auto [alice, bob] = local_channels("alice", "bob");
    const Bytes large(5'000'000);
    alice->begin_send(kTag, large);
    bob.reset();
    EXPECT_THAT(message_of([&, a = alice.get()] { a->finish_sends(); }, ErrorCode::kIo),
                HasSubstr("\"bob\""));
    EXPECT_THAT(message_of([&, a = alice.get()] { a->receive(kTag, {}); }, ErrorCode::kCorrupt),
                HasSubstr("ended after 0 bytes, expected 16"));
}

TEST(Channel, AbortEndsACallThatWaits) {
    auto [alice, bob] = local_channels("alice", "bob");
    auto waiting = std::async(std::launch::async, [a = alice.get()] {
        return message_of([&] { a->receive(kTag, {}); }, ErrorCode::kCorrupt);
    });
    alice->abort();
    EXPECT_THAT(waiting.get(), HasSubstr("ended"));
}

TEST(Channel, ASimulatedLinkDelaysAndLimits) {
    const PipeOptions slow = {.capacity_bytes = size_t{1} << 24,
                              .one_way_delay = std::chrono::milliseconds(20),
                              .bytes_per_second = 10e6};
    auto [alice, bob] = local_channels("alice", "bob", slow);
    const Bytes data = counting(200'000);  // 20 ms at that rate
    Bytes got(data.size());
    const auto start = std::chrono::steady_clock::now();
    alice->send(kTag, data);
    bob->receive(kTag, got);
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(40));
    EXPECT_EQ(got, data);
    EXPECT_THAT(message_of([] { memory_pipe({.capacity_bytes = 0}); }, ErrorCode::kUsage),
                HasSubstr("capacity > 0"));
}

}  // namespace
}  // namespace ward::net
