#include "ward/crypto/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <optional>
#include <thread>

#include "ward/core/error.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/tls_context.h"
#include "ward/crypto/internal/x509.h"

namespace ward::crypto {
namespace {

using internal::bytes_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Pair {
    Pair() {
        int both[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, both) == 0) a = both[0], b = both[1];
    }
    int a = -1;
    int b = -1;
};

struct Outcome {
    std::optional<TlsStream> stream;
    ErrorCode code = ErrorCode::kInternal;
    std::string message;
};

template <typename Open>
Outcome outcome_of(Open open) {
    Outcome out;
    try {
        out.stream.emplace(open());
    } catch (const Error& error) {
        out.code = error.code();
        out.message = error.message();
    }
    return out;
}

struct Meeting {
    Outcome client;
    Outcome server;
};

Meeting meet(const NetworkIdentity& client, const ExpectedPeer& client_expects,
             const NetworkIdentity& server, const ExpectedPeer& server_expects,
             const TlsOptions& client_options = {}, const TlsOptions& server_options = {}) {
    const Pair pair;
    auto accepting = std::async(std::launch::async, [&] {
        return outcome_of(
            [&] { return TlsStream::accept(pair.b, server, server_expects, server_options); });
    });
    Outcome connected = outcome_of(
        [&] { return TlsStream::connect(pair.a, client, client_expects, client_options); });
    return {std::move(connected), accepting.get()};
}

ExpectedPeer pinned(const NetworkIdentity& identity) {
    return {
        .names = {identity.name()}, .pins = {{identity.name(), identity.pin()}}, .authorities = {}};
}

const NetworkIdentity& alice() {
    static const NetworkIdentity identity = NetworkIdentity::create("alice");
    return identity;
}

const NetworkIdentity& bob() {
    static const NetworkIdentity identity =
        NetworkIdentity::create("bob", {.key = IdentityKey::kP256});
    return identity;
}

Meeting friends(const TlsOptions& options = {}) {
    return meet(alice(), pinned(bob()), bob(), pinned(alice()), options, options);
}

template <typename Action>
Error error_of(Action action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    return Error(ErrorCode::kInternal, "no error");
}

// ---- what works

TEST(Tls, PinnedPartiesTalkBothWaysAtOnce) {
    Meeting both = friends({.rekey_bytes = 300'000});  // several changes of keys on the way
    ASSERT_TRUE(both.client.stream && both.server.stream)
        << both.client.message << both.server.message;
    EXPECT_EQ(both.client.stream->peer().name, "bob");
    EXPECT_EQ(both.server.stream->peer().name, "alice");
    EXPECT_EQ(both.server.stream->peer().certificate, alice().certificate());
    Bytes data(4'000'000);
    testonly::seeded_random(1).fill(std::span<uint8_t>(data));
    const auto exchange = [&](TlsStream& stream) {
        auto writing = std::async(std::launch::async, [&] {
            for (size_t at = 0; at < data.size(); at += 1'000'000) {
                stream.write(ByteView(data).subspan(at, 1'000'000));
            }
            stream.close();
        });
        Bytes got(data.size());
        stream.read_all(got);
        uint8_t more;
        EXPECT_EQ(stream.read(std::span(&more, 1)), 0u);
        writing.get();
        return got == data;
    };
    auto other = std::async(std::launch::async, [&] { return exchange(*both.server.stream); });
    EXPECT_TRUE(exchange(*both.client.stream));
    EXPECT_TRUE(other.get());
    EXPECT_GT(both.client.stream->bytes_sent(), data.size());
    EXPECT_EQ(both.client.stream->bytes_sent(), both.server.stream->bytes_received());
    EXPECT_THAT(error_of([&] { both.client.stream->write(data); }).message(),
                HasSubstr("closed the stream already"));
}

TEST(Tls, AuthoritiesVouchForNames) {
    const auto ca = CertificateAuthority::create("consortium");
    auto carol = NetworkIdentity::create("carol");
    auto dave = NetworkIdentity::create("dave");
    carol.set_certificates({ca.issue(carol.certificate(), {.name = "carol"})});
    dave.set_certificates({ca.issue(dave.certificate(), {.name = "dave"})});
    const std::vector<Certificate> trusted = {ca.certificate()};
    const ExpectedPeer any = {.names = {}, .pins = {}, .authorities = trusted};
    {
        Meeting both = meet(carol, {{"dave"}, {}, trusted}, dave, any);
        ASSERT_TRUE(both.client.stream && both.server.stream) << both.client.message;
        EXPECT_EQ(both.server.stream->peer().name, "carol");
    }
    {
        const Meeting wrong = meet(carol, {{"erin"}, {}, trusted}, dave, any);
        EXPECT_EQ(wrong.client.code, ErrorCode::kRefused);
        EXPECT_THAT(wrong.client.message,
                    AllOf(HasSubstr("the peer is \"dave\" (key " + dave.pin() + ")"),
                          HasSubstr("expected \"erin\"")));
        EXPECT_THAT(wrong.server.message, AllOf(HasSubstr("refused this side, which is \"dave\""),
                                                HasSubstr("certificate")));
    }
    {
        // A pinned name is for its key alone, even if the authority says otherwise.
        const Meeting pin_wins =
            meet(carol, {{"dave"}, {{"dave", bob().pin()}}, trusted}, dave, any);
        EXPECT_THAT(pin_wins.client.message, HasSubstr("expected \"dave\" (key " + bob().pin()));
        const Meeting pin_wins2 =
            meet(carol, {{"dave"}, {}, trusted}, dave, {{}, {{"carol", bob().pin()}}, trusted});
        EXPECT_EQ(pin_wins2.server.code, ErrorCode::kRefused);
    }
    EXPECT_EQ(meet(carol, any, dave, any).client.code, ErrorCode::kUsage);
}

TEST(Tls, BothEndsExportTheSameKey) {
    Meeting both = friends();
    const SecretBytes key = both.client.stream->export_key("ward test", 32);
    EXPECT_TRUE(key.equals(both.server.stream->export_key("ward test", 32).reveal()));
    EXPECT_FALSE(key.equals(both.server.stream->export_key("ward tesT", 32).reveal()));
    EXPECT_FALSE(key.equals(friends().client.stream->export_key("ward test", 32).reveal()));
}

// ---- who is refused

TEST(Tls, WrongPinNamesBothSides) {
    const auto mallory = NetworkIdentity::create("bob");
    const Meeting both = meet(alice(), pinned(bob()), mallory, pinned(alice()));
    EXPECT_EQ(both.client.code, ErrorCode::kRefused);
    EXPECT_EQ(both.client.message, "the peer is \"bob\" (key " + mallory.pin() +
                                       "), expected \"bob\" (key " + bob().pin() + ")");
    EXPECT_EQ(both.server.code, ErrorCode::kRefused);
    const Meeting other = meet(mallory, pinned(bob()), bob(), pinned(alice()));
    EXPECT_EQ(other.server.message, "the peer is \"bob\" (key " + mallory.pin() +
                                        "), expected \"alice\" (key " + alice().pin() + ")");
    EXPECT_EQ(other.client.code, ErrorCode::kRefused) << "connect must not return before";
    EXPECT_THAT(other.client.message, HasSubstr("\"bob\" refused this side, which is \"bob\""));
}

TEST(Tls, WrongAuthority) {
    const auto ours = CertificateAuthority::create("ours");
    const auto theirs = CertificateAuthority::create("theirs");
    auto eve = NetworkIdentity::create("bob");
    eve.set_certificates({theirs.issue(eve.certificate(), {.name = "bob"})});
    const Meeting both = meet(alice(), {{"bob"}, {}, {ours.certificate()}}, eve, pinned(alice()));
    EXPECT_EQ(both.client.code, ErrorCode::kRefused);
    EXPECT_THAT(both.client.message,
                AllOf(HasSubstr("by the issuer \"theirs\""), HasSubstr("expected \"bob\"")));
    EXPECT_THAT(
        meet(alice(), {{"bob"}, {}, {eve.certificate()}}, eve, pinned(alice())).client.message,
        HasSubstr("is not that of an authority"));
    // A party's certificate is no authority for others, even if it is trusted itself.
    const Meeting self_signed = meet(alice(), {{"bob"}, {}, {ours.certificate()}},
                                     NetworkIdentity::create("bob"), pinned(alice()));
    EXPECT_EQ(self_signed.client.code, ErrorCode::kRefused);
}

TEST(Tls, ValidityHoldsForPinsToo) {
    const auto now = std::chrono::system_clock::now();
    using std::chrono::hours;
    const auto past = bob().renewed({.from = now - hours(48), .duration = hours(24)});
    const auto future = bob().renewed({.from = now + hours(24), .duration = hours(24)});
    const Meeting expired = meet(alice(), pinned(bob()), past, pinned(alice()));
    EXPECT_THAT(expired.client.message, HasSubstr("expired on 20"));
    EXPECT_THAT(expired.server.message, HasSubstr("certificate expired"));
    EXPECT_THAT(meet(alice(), pinned(bob()), future, pinned(alice())).client.message,
                HasSubstr("is valid from"));
    const auto ca = CertificateAuthority::create("ca");
    auto carol = NetworkIdentity::create("carol");
    carol.set_certificates(
        {ca.issue(carol.certificate(),
                  {.name = "carol", .hosts = {}, .validity = {now - hours(48), hours(24)}})});
    EXPECT_THAT(meet(carol, pinned(bob()), bob(), {{}, {}, {ca.certificate()}}).server.message,
                HasSubstr("expired on 20"));
}

TEST(Tls, OtherProtocolsAreRefused) {
    const Meeting both = meet(alice(), pinned(bob()), bob(), pinned(alice()),
                              {.protocol = "ward-mpc/1"}, {.protocol = "ward/1"});
    EXPECT_EQ(both.client.code, ErrorCode::kUnsupported);
    EXPECT_THAT(both.client.message, HasSubstr("another protocol than \"ward-mpc/1\""));
    EXPECT_EQ(both.server.code, ErrorCode::kUnsupported);
}

// ---- peers that are no Ward

// A client by bare OpenSSL: without a certificate, and up to TLS 1.2 if told so.
Outcome accept_from_openssl(bool with_certificate, int version) {
    const Pair pair;
    auto accepting = std::async(std::launch::async, [&] {
        return outcome_of([&] { return TlsStream::accept(pair.b, bob(), pinned(alice())); });
    });
    const internal::SslContext context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_max_proto_version(context.get(), version);
    if (with_certificate) {
        SSL_CTX_use_certificate(context.get(), internal::X509Access::get(alice().certificate()));
        SSL_CTX_use_PrivateKey(context.get(), internal::key_from_pem(alice().key_pem()).get());
    }
    const std::string protocol("\x06ward/1");
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const uint8_t*>(protocol.data()), 7);
    const internal::Ssl ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), pair.a);
    uint8_t byte;
    if (SSL_connect(ssl.get()) == 1) (void)SSL_read(ssl.get(), &byte, 1);
    Outcome out = accepting.get();
    ::close(pair.a);
    return out;
}

TEST(Tls, ClientsWithoutCertificateAreRefused) {
    const Outcome none = accept_from_openssl(false, TLS1_3_VERSION);
    EXPECT_EQ(none.code, ErrorCode::kRefused);
    EXPECT_THAT(none.message, HasSubstr("showed no certificate, expected \"alice\""));
    EXPECT_TRUE(accept_from_openssl(true, TLS1_3_VERSION).stream.has_value());
}

TEST(Tls, OlderVersionsAreRefused) {
    const Outcome old = accept_from_openssl(true, TLS1_2_VERSION);
    EXPECT_EQ(old.code, ErrorCode::kUnsupported);
    EXPECT_THAT(old.message, HasSubstr("another version than TLS 1.3"));
}

TEST(Tls, PlaintextPeersAreRefused) {
    for (const std::string_view words :
         {"GET / HTTP/1.1\r\nHost: bob\r\n\r\n", "hello\n", "\x16"}) {
        const Pair pair;
        ASSERT_EQ(::write(pair.a, words.data(), words.size()), static_cast<ssize_t>(words.size()));
        ::shutdown(pair.a, SHUT_WR);
        const Outcome server =
            outcome_of([&] { return TlsStream::accept(pair.b, bob(), pinned(alice())); });
        EXPECT_EQ(server.code, ErrorCode::kCorrupt) << words << ": " << server.message;
        ::close(pair.a);
    }
    const Pair pair;
    ASSERT_EQ(::write(pair.b, "220 mail\r\n", 10), 10);
    ::shutdown(pair.b, SHUT_WR);
    const Outcome client =
        outcome_of([&] { return TlsStream::connect(pair.a, alice(), pinned(bob())); });
    EXPECT_EQ(client.code, ErrorCode::kCorrupt);
    EXPECT_THAT(client.message, HasSubstr("handshake failed"));
    ::close(pair.b);
}

TEST(Tls, DescriptorsThatAreNoSocketsAreRefused) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    EXPECT_THAT(outcome_of([&] {
                    return TlsStream::connect(pipe_ends[0], alice(), pinned(bob()));
                }).message,
                HasSubstr("is no stream socket"));
    ::close(pipe_ends[1]);
    EXPECT_EQ(outcome_of([&] { return TlsStream::accept(-1, alice(), pinned(bob())); }).code,
              ErrorCode::kUsage);
}

// ---- cut, changed and silent connections

TEST(Tls, CutStreamsAreNotTakenForTheirEnd) {
    Meeting both = friends();
    both.server.stream->write(bytes_of("half of"));
    both.server.stream.reset();  // without close
    Bytes got(7);
    both.client.stream->read_all(got);
    EXPECT_EQ(internal::text_of(got), "half of");
    const Error error = error_of([&] { (void)both.client.stream->read(got); });
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    EXPECT_EQ(error.message(), "the connection to \"bob\" was cut before its end");
    // No SIGPIPE.
    EXPECT_EQ(error_of([&] {
                  for (int i = 0; i < 3; ++i) both.client.stream->write(got);
              }).code() == ErrorCode::kInternal,
              false);
}

TEST(Tls, ClosedTooEarlyIsNamed) {
    Meeting both = friends();
    both.server.stream->write(bytes_of("12345"));
    both.server.stream->close();
    Bytes got(8);
    EXPECT_THAT(error_of([&] { both.client.stream->read_all(got); }).message(),
                HasSubstr("\"bob\" closed after 5 bytes, expected 8"));
}

TEST(Tls, SilentPeersTimeOut) {
    const Pair pair;
    const TlsOptions quick = {.handshake_timeout = std::chrono::milliseconds(30),
                              .idle_timeout = std::chrono::milliseconds(30)};
    const Outcome client =
        outcome_of([&] { return TlsStream::connect(pair.a, alice(), pinned(bob()), quick); });
    EXPECT_EQ(client.code, ErrorCode::kIo);
    EXPECT_THAT(client.message, HasSubstr("not done after 30 ms"));
    ::close(pair.b);
    Meeting both = meet(alice(), pinned(bob()), bob(), pinned(alice()),
                        {.idle_timeout = std::chrono::milliseconds(30)});
    Bytes got(1);
    EXPECT_EQ(error_of([&] { (void)both.client.stream->read(got); }).message(),
              "reading from \"bob\": no progress for 30 ms");
    const Bytes much(8'000'000);  // more than the socket holds
    EXPECT_EQ(error_of([&] { both.client.stream->write(much); }).code(), ErrorCode::kIo);
}

TEST(Tls, AbortEndsAWaitingRead) {
    Meeting both = friends();
    auto reading = std::async(std::launch::async, [&] {
        Bytes got(1);
        return error_of([&] { (void)both.client.stream->read(got); }).code();
    });
    both.client.stream->abort();
    EXPECT_EQ(reading.get(), ErrorCode::kCorrupt);
    Bytes got(1);
    EXPECT_EQ(error_of([&] { (void)both.server.stream->read(got); }).code(), ErrorCode::kCorrupt);
}

TEST(Tls, KilledPeersAreNoticed) {
    const Pair pair;
    // Made before the fork, so that both processes have the same keys.
    const ExpectedPeer expects_bob = pinned(bob());
    const ExpectedPeer expects_alice = pinned(alice());
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::close(pair.a);
        try {
            TlsStream stream = TlsStream::accept(pair.b, bob(), expects_alice);
            const Bytes block(100'000);
            while (true) stream.write(block);
        } catch (...) {
        }
        ::_exit(0);
    }
    ::close(pair.b);
    TlsStream stream = TlsStream::connect(pair.a, alice(), expects_bob);
    Bytes got(50'000);
    stream.read_all(got);
    ::kill(child, SIGKILL);
    const Error error = error_of([&] {
        while (stream.read(got) > 0) {
        }
    });
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    EXPECT_THAT(error.message(), HasSubstr("\"bob\" was cut before its end"));
    ::waitpid(child, nullptr, 0);
}

// Passes bytes between two sockets, and turns one bit of those from `from` at `position`.
void forward_changed(int from, int to, size_t position) {
    size_t seen = 0;
    uint8_t buffer[4096];
    for (ssize_t got; (got = ::read(from, buffer, sizeof(buffer))) > 0;) {
        const auto count = static_cast<size_t>(got);
        if (position >= seen && position < seen + count) buffer[position - seen] ^= 0x10;
        seen += count;
        if (::send(to, buffer, count, MSG_NOSIGNAL) < 0) break;
    }
    ::shutdown(to, SHUT_WR);
}

// Bytes all over what the server sends, changed: the client does not accept, or notices when
// reading. A changed length may leave it waiting, hence the time limits.
TEST(Tls, ChangedBytesAreNoticed) {
    const TlsOptions quick = {.handshake_timeout = std::chrono::milliseconds(150),
                              .idle_timeout = std::chrono::milliseconds(150)};
    size_t total = 0;
    {
        Meeting both = friends();
        both.server.stream->write(bytes_of("data"));
        total = both.server.stream->bytes_sent();
    }
    for (size_t position = 0; position < total; position += 29) {
        const Pair left;
        const Pair right;
        std::jthread there([&] { forward_changed(left.b, right.a, total); });
        std::jthread back([&] { forward_changed(right.a, left.b, position); });
        auto accepting = std::async(std::launch::async, [&] {
            Outcome server = outcome_of(
                [&] { return TlsStream::accept(right.b, bob(), pinned(alice()), quick); });
            if (server.stream) {
                (void)error_of([&] {
                    server.stream->write(bytes_of("data"));
                    server.stream->close();
                });
            }
        });
        const Error error = error_of([&] {
            TlsStream stream = TlsStream::connect(left.a, alice(), pinned(bob()), quick);
            Bytes got(4);
            stream.read_all(got);
            uint8_t more;
            EXPECT_EQ(stream.read(std::span(&more, 1)), 0u);
        });
        EXPECT_NE(error.message(), "no error") << "byte " << position;
        accepting.get();
        there.join();
        back.join();
        ::close(left.b);
        ::close(right.a);
    }
}

}  // namespace
}  // namespace ward::crypto
