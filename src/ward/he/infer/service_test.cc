#include "ward/he/infer/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/infer/files.h"
#include "ward/he/testing/small_models.h"
#include "ward/he/wire.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using testonly::random_example;
using testonly::random_model;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;

model::Model small_model(Random& random) {
    const model::Activation square{model::Activation::Function::kSquare};
    return random_model(
        "small", {5}, 2,
        {{"l1", model::Linear{3, true, ""}}, {"a", square}, {"l2", model::Linear{2, true, ""}}},
        random);
}

// A server, and for each client a channel and a thread in which the server answers it.
struct World {
    explicit World(const ServiceOptions& options = {}, int scale_bits = 40)
        : random(seeded_random(1)),
          server_random(seeded_random(2)),
          model(small_model(random)),
          network(lower(model)),
          whole(plan(network, {.input = {-1, 1}, .scale_bits = scale_bits})),
          sent(client_plan(whole)),
          context(Context::create(sent.parameters)),
          service(sent, Program(network, whole, context), context, options) {}

    // What the server throws, if anything.
    template <typename Client>
    std::string converse(const std::string& name, Client&& client) {
        auto [at_server, at_client] = net::local_channels("server", name);
        std::string error = "no error";
        std::thread server([&, channel = at_server.get()] {
            error = any_message_of([&] {
                service.serve(*channel, server_random,
                              [&](const InferenceService::Answer& a) { answered += a.examples; });
            });
        });
        try {
            client(*at_client);
        } catch (...) {
            at_client->abort();
            server.join();
            throw;
        }
        at_client.reset();
        server.join();
        return error;
    }

    Random random, server_random;
    model::Model model;
    Network network;
    Plan whole;
    ClientPlan sent;
    ContextPtr context;
    InferenceService service;
    int64_t answered = 0;
};

void expect_right(World& w, const std::vector<double>& x, const std::vector<double>& y,
                  double tolerance) {
    const auto expected = evaluate(w.network, x);
    ASSERT_EQ(y.size(), expected.size());
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], tolerance);
}

TEST(Service, AnswersAndKeepsKeys) {
    World w;
    std::optional<SecretKey> secret;
    for (bool again : {false, true}) {
        const std::string server = w.converse("bank", [&](net::Channel& channel) {
            const ClientPlan plan = receive_plan(channel);
            EXPECT_EQ(plan, w.sent);
            InferenceClient client =
                again ? InferenceClient(plan, std::move(*secret)) : InferenceClient(plan, w.random);
            RemoteProgram remote(channel, client, w.random);
            EXPECT_EQ(remote.keys_were_known(), again);
            for (int i = 0; i < 2; ++i) {
                const auto x = random_example(w.model, w.random);
                expect_right(w, x, remote.run(x, w.random), 1e-5);
            }
            remote.close();
            const SecretBytes bytes = to_secret_bytes(client.secret());
            secret = secret_key_from_bytes(client.context(), bytes.reveal());
        });
        EXPECT_EQ(server, "no error");
    }
    EXPECT_EQ(w.answered, 4);
    // Another client of the same secret key is another peer: it sends its own.
    w.converse("clinic", [&](net::Channel& channel) {
        const InferenceClient client(receive_plan(channel), std::move(*secret));
        RemoteProgram remote(channel, client, w.random);
        EXPECT_FALSE(remote.keys_were_known());
        remote.close();
    });
}

TEST(Service, CircuitPrivacyCostsPrecisionOnly) {
    World w({.circuit_privacy = FloodingOptions{.bits = 8}}, 45);
    w.converse("bank", [&](net::Channel& channel) {
        const InferenceClient client(receive_plan(channel), w.random);
        RemoteProgram remote(channel, client, w.random);
        const auto x = random_example(w.model, w.random);
        const auto y = remote.run(x, w.random);
        expect_right(w, x, y, 1e-2);
        EXPECT_NE(y, evaluate(w.network, x));
        remote.close();
    });
}

TEST(Service, TellsTheClientWhatIsWrong) {
    World w;
    std::string client_error;
    const std::string server_error = w.converse("bank", [&](net::Channel& channel) {
        ClientPlan plan = receive_plan(channel);
        const InferenceClient other(ClientPlan(plan), w.random);
        RemoteProgram remote(channel, other, w.random);
        plan.input.high = 2;  // another plan: another digest on the request
        const InferenceClient wrong(plan, w.random);
        const Bytes request = to_bytes(CiphertextList{
            digest(plan), 1, wrong.encrypt(random_example(w.model, w.random), w.random)});
        const uint8_t more = 1;
        channel.send(5, ByteView(&more, 1));
        channel.send(6, request);
        client_error = any_message_of([&] { channel.receive_any(7, 1 << 20); });
    });
    EXPECT_THAT(server_error, HasSubstr("another plan"));
    EXPECT_THAT(client_error, HasSubstr("another plan"));
}

TEST(Service, HostileBytesAreRefused) {
    World w;
    EXPECT_THAT(w.converse("bank",
                           [&](net::Channel& channel) {
                               receive_plan(channel);
                               channel.send(2, Bytes(64, 'a'));
                               channel.receive_any(3, 1);
                               channel.send(4, Bytes(100, 7));
                               EXPECT_THAT(any_message_of([&] { channel.receive_any(7, 1); }),
                                           HasSubstr("object"));
                           }),
                HasSubstr("object"));
    // Several rotations at once would take memory that the plan does not ask for.
    EXPECT_THAT(w.converse("bank",
                           [&](net::Channel& channel) {
                               const InferenceClient client(receive_plan(channel), w.random);
                               const EvaluationKeys keys = client.evaluation_keys(w.random);
                               ASSERT_GT(keys.galois.size(), 1U);
                               channel.send(2, Bytes(64, 'a'));
                               channel.receive_any(3, 1);
                               channel.send(4, to_bytes(keys.relin));
                               channel.send(4, to_bytes(keys.public_key));
                               channel.send(4, to_bytes(keys.galois));
                               EXPECT_THAT(any_message_of([&] { channel.receive_any(7, 1); }),
                                           HasSubstr("one rotation key"));
                           }),
                HasSubstr("one rotation key"));
    EXPECT_THAT(w.converse("bank", [](net::Channel& channel) { channel.send(9, Bytes(1, 1)); }),
                HasSubstr("bank"));
    // A server that offers nonsense.
    auto [at_server, at_client] = net::local_channels("server", "bank");
    at_server->send(1, Bytes(200, 1));
    EXPECT_THAT(any_message_of([&, c = at_client.get()] { receive_plan(*c); }),
                HasSubstr("object"));
}

}  // namespace
}  // namespace ward::he
