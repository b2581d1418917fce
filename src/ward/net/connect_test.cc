#include "ward/net/connect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"

namespace ward::net {
namespace {

using crypto::ExpectedPeer;
using crypto::NetworkIdentity;
using ::testing::HasSubstr;

ExpectedPeer pinned(const NetworkIdentity& identity) {
    return {
        .names = {identity.name()}, .pins = {{identity.name(), identity.pin()}}, .authorities = {}};
}

TEST(Connect, ChannelsOverTlsCarryLargeMessagesBothWaysAtOnce) {
    const auto alice = NetworkIdentity::create("alice");
    const auto bob = NetworkIdentity::create("bob");
    Listener listener({"127.0.0.1", 0});
    const Bytes data(4'000'000, 0x5a);
    const auto exchange = [&](Channel& channel) {
        channel.begin_send(1, data);
        Bytes got(data.size());
        channel.receive(1, got);
        channel.finish_sends();
        return got == data;
    };
    auto accepting = std::async(std::launch::async, [&] {
        auto channel = accept_channel(listener, alice, pinned(bob));
        const bool same = exchange(*channel);
        channel->receive(2, {});
        return same && channel->peer() == "bob";
    });
    auto channel = connect_channel({"127.0.0.1", listener.port()}, bob, pinned(alice));
    EXPECT_EQ(channel->peer(), "alice");
    EXPECT_TRUE(exchange(*channel));
    EXPECT_GT(channel->wire_bytes_sent(), data.size());
    channel->send(2, {});
    EXPECT_TRUE(accepting.get());
}

TEST(Connect, RefusesAnotherIdentity) {
    const auto alice = NetworkIdentity::create("alice");
    const auto bob = NetworkIdentity::create("bob");
    const auto mallory = NetworkIdentity::create("bob");
    Listener listener({"127.0.0.1", 0});
    auto accepting = std::async(std::launch::async, [&] {
        return testonly::message_of([&] { accept_channel(listener, alice, pinned(bob)); },
                                    ErrorCode::kRefused);
    });
    EXPECT_THROW((void)connect_channel({"127.0.0.1", listener.port()}, mallory, pinned(alice)),
                 Error);
    EXPECT_THAT(accepting.get(), HasSubstr("bob"));
}

TEST(Connect, SaysWhereNobodyListens) {
    const auto bob = NetworkIdentity::create("bob");
    uint16_t port = 0;
    {
        Listener listener({"127.0.0.1", 0});
        port = listener.port();
    }
    const ConnectOptions options = {.connect_timeout = std::chrono::milliseconds(60)};
    EXPECT_THAT(testonly::message_of(
                    [&] {
                        (void)connect_channel({"127.0.0.1", port}, bob, pinned(bob), options);
                    },
                    ErrorCode::kIo),
                HasSubstr("127.0.0.1:" + std::to_string(port) + " for 60 ms"));
    Listener listener({"127.0.0.1", 0});
    EXPECT_THAT(testonly::message_of([&] { listener.accept(std::chrono::milliseconds(10)); },
                                     ErrorCode::kIo),
                HasSubstr("for 10 ms"));
}

}  // namespace
}  // namespace ward::net
