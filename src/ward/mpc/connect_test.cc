#include "ward/mpc/connect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <thread>

#include "ward/core/error.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

crypto::ExpectedPeer pinned(const crypto::NetworkIdentity& identity) {
    return {
        .names = {identity.name()}, .pins = {{identity.name(), identity.pin()}}, .authorities = {}};
}

// Runs the program at three parties over TLS on loopback; returns the message of each one's error.
std::array<std::string, 3> run_over_tls(const std::function<void(Party&)>& program,
                                        const std::array<std::string, 3>& jobs,
                                        std::chrono::milliseconds idle_timeout) {
    std::vector<crypto::NetworkIdentity> identities;
    std::vector<std::unique_ptr<net::Listener>> listeners;
    for (const char* name : {"bank-a", "bank-b", "auditor"}) {
        identities.push_back(crypto::NetworkIdentity::create(name));
        listeners.push_back(std::make_unique<net::Listener>(net::Endpoint{"127.0.0.1", 0}));
    }
    std::array<std::string, 3> errors;
    std::array<std::thread, 3> threads;
    for (size_t i = 0; i < 3; ++i) {
        threads[i] = std::thread([&, i] {
            try {
                const size_t next = (i + 1) % 3, previous = (i + 2) % 3;
                PartyLinks links = connect_parties(
                    static_cast<int>(i), *listeners[i], {"127.0.0.1", listeners[next]->port()},
                    identities[i], pinned(identities[previous]), pinned(identities[next]),
                    {.idle_timeout = idle_timeout});
                Party party(static_cast<int>(i), std::move(links.previous), std::move(links.next),
                            {.job = jobs[i]});
                program(party);
                party.synchronize();
            } catch (const Error& error) {
                errors[i] = error.message();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    return errors;
}

TEST(ConnectParties, ComputeOverTls) {
    RingMatrix values(40, 50);
    for (size_t i = 0; i < values.size(); ++i) values.values[i] = i - 1000;
    const auto errors = run_over_tls(
        [&](Party& party) {
            const SharedMatrix x = share(party, 2, party.index() == 2 ? &values : nullptr, 40, 50);
            const RingMatrix got = open(party, relu(party, x).value);
            for (size_t i = 0; i < got.size(); ++i) {
                EXPECT_EQ(got.values[i], i < 1000 ? 0 : i - 1000);
            }
        },
        {"job", "job", "job"}, std::chrono::milliseconds(20'000));
    for (const std::string& error : errors) EXPECT_EQ(error, "");
}

TEST(ConnectParties, RefuseAnotherJob) {
    const auto errors =
        run_over_tls([](Party&) { ADD_FAILURE() << "began another job"; },
                     {"job", "job", "another job"}, std::chrono::milliseconds(20'000));
    EXPECT_THAT(errors[0], HasSubstr("\"auditor\" has another job"));
    EXPECT_THAT(errors[1], HasSubstr("\"auditor\" has another job"));
    EXPECT_THAT(errors[2], HasSubstr("has another job"));
}

TEST(ConnectParties, ALostPartyStopsTheOthersWithItsNameAndTheStep) {
    const auto errors = run_over_tls(
        [](Party& party) {
            const SharedMatrix x = share_public(party, RingMatrix(8, 8));
            if (party.index() == 1) throw Error(ErrorCode::kIo, "power failure");
            (void)is_negative(party, x);
        },
        {"job", "job", "job"}, std::chrono::milliseconds(20'000));
    EXPECT_EQ(errors[1], "power failure");
    for (size_t i : {size_t{0}, size_t{2}}) {
        EXPECT_THAT(errors[i], HasSubstr("in step ")) << errors[i];
        EXPECT_THAT(errors[i], AnyOf(HasSubstr("\"bank-b\""), HasSubstr("\"auditor\""),
                                     HasSubstr("\"bank-a\"")));
    }
}

TEST(ConnectParties, ASilentPartyRunsIntoTheTimeout) {
    const auto errors = run_over_tls(
        [](Party& party) {
            if (party.index() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(1100));
            (void)open(party, share_public(party, RingMatrix(1, 1)));
        },
        {"job", "job", "job"}, std::chrono::milliseconds(500));
    EXPECT_THAT(errors[2], HasSubstr("\"bank-b\" in step open"));
}

}  // namespace
}  // namespace ward::mpc
