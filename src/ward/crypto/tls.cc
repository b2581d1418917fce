#include "ward/crypto/tls.h"

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "ward/core/error.h"
#include "ward/crypto/internal/socket_bio.h"
#include "ward/crypto/internal/tls_context.h"

namespace ward::crypto {
namespace {

using Clock = std::chrono::steady_clock;
using internal::openssl_reason;

constexpr uint8_t kAccepted = 1;  // the first byte of the accepting side
constexpr auto kLinger = std::chrono::milliseconds(200);
constexpr size_t kMaxCallBytes = size_t{1} << 30;

// 0 stands for no limit.
Clock::time_point deadline_after(std::chrono::milliseconds timeout) {
    return timeout.count() <= 0 ? Clock::time_point::max() : Clock::now() + timeout;
}

// True when the descriptor is ready (or broken, which the next call finds out).
bool wait_until(int descriptor, short events, Clock::time_point deadline) {
    while (true) {
        int wait_ms = -1;
        if (deadline != Clock::time_point::max()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
            if (left.count() <= 0) return false;
            wait_ms = static_cast<int>(std::min<int64_t>(left.count(), 1 << 30));
        }
        pollfd wanted = {descriptor, events, 0};
        const int ready = ::poll(&wanted, 1, wait_ms);
        if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
    }
}

// Takes what the peer still sends, for a moment: closing a socket with unread bytes would reset the
// connection, and the alert that says why might never be read.
void drain(int descriptor) {
    ::shutdown(descriptor, SHUT_WR);
    const auto deadline = deadline_after(kLinger);
    uint8_t ignored[4096];
    while (wait_until(descriptor, POLLIN, deadline)) {
        const ssize_t got = ::recv(descriptor, ignored, sizeof(ignored), 0);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) return;
    }
}

std::string wire_form(const std::string& protocol) {
    if (protocol.empty() || protocol.size() > 255) {
        throw Error(ErrorCode::kUsage, "a protocol name must have 1 to 255 bytes, got " +
                                           std::to_string(protocol.size()));
    }
    return static_cast<char>(protocol.size()) + protocol;
}

bool peer_refused_us(int reason) {
    return reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED ||
           reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE ||
           reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED ||
           reason == SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED ||
           reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN ||
           reason == SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE ||
           reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA || reason == SSL_R_TLSV1_ALERT_ACCESS_DENIED;
}

bool is_other_version(int reason) {
    return reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
           reason == SSL_R_VERSION_TOO_LOW || reason == SSL_R_VERSION_TOO_HIGH;
}

}  // namespace

struct TlsStream::State {
    State(bool server, int descriptor, const NetworkIdentity& self, const ExpectedPeer& expected,
          const TlsOptions& wanted)
        : socket(descriptor),
          own_claim("\"" + self.name() + "\" (key " + self.pin() + ")"),
          options(wanted),
          protocol_wire(wire_form(wanted.protocol)),
          verifier(expected),
          context(internal::make_tls_context(server, self, expected, verifier, protocol_wire)),
          ssl(SSL_new(context.get())) {
        internal::require_openssl(ssl != nullptr ? 1 : 0, "tls");
        BIO* bio = internal::new_socket_bio(socket);
        SSL_set_bio(ssl.get(), bio, bio);
        server ? SSL_set_accept_state(ssl.get()) : SSL_set_connect_state(ssl.get());
    }

    // Runs one of OpenSSL's calls until it has done something: `call` returns > 0 then. Waiting is
    // outside of the lock, so that a reader does not keep a writer from its turn. Returns false at
    // the peer's close_notify.
    template <typename Call>
    bool run(Call call, Clock::time_point deadline, const char* what);

    // Until both sides have accepted each other.
    void shake_hands(bool server, Clock::time_point deadline);

    [[noreturn]] void fail(int ssl_error, const char* what);
    [[noreturn]] void fail_handshake(int reason);
    [[noreturn]] void fail_late(const char* what);
    [[noreturn]] void fail_lost(const char* what);
    std::string peer_name() const {
        return verifier.peer() ? "\"" + verifier.peer()->name + "\"" : "the peer";
    }

    internal::Socket socket;
    std::string own_claim;
    TlsOptions options;
    std::string protocol_wire;
    internal::PeerVerifier verifier;
    internal::SslContext context;
    internal::Ssl ssl;
    mutable std::mutex mutex;  // guards ssl
    bool open = false;         // the handshake is over
    bool closed = false;       // by us
    uint64_t bytes_since_rekey = 0;
};

template <typename Call>
bool TlsStream::State::run(Call call, Clock::time_point deadline, const char* what) {
    while (true) {
        short events = 0;
        {
            const std::lock_guard lock(mutex);
            ERR_clear_error();
            const int done = call();
            if (done > 0) return true;
            const int problem = SSL_get_error(ssl.get(), done);
            if (problem == SSL_ERROR_ZERO_RETURN) return false;
            if (problem != SSL_ERROR_WANT_READ && problem != SSL_ERROR_WANT_WRITE) {
                fail(problem, what);
            }
            events = problem == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        }
        if (!wait_until(socket.descriptor(), events, deadline)) fail_late(what);
    }
}

void TlsStream::State::fail_late(const char* what) {
    const auto limit = open ? options.idle_timeout : options.handshake_timeout;
    throw Error(ErrorCode::kIo, std::string(what) + " " + peer_name() +
                                    (open ? ": no progress for " : ": not done after ") +
                                    std::to_string(limit.count()) + " ms");
}

constexpr const char* kSeeThere = "what the other side printed tells why it went away";

void TlsStream::State::fail(int ssl_error, const char* what) {
    const unsigned long code = ERR_peek_error();
    const int reason = ERR_GET_REASON(code);
    if (ssl_error == SSL_ERROR_SSL && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        throw Error(ErrorCode::kCorrupt,
                    open ? "the connection to " + peer_name() + " was cut before its end"
                         : "the peer closed the connection during the TLS handshake",
                    kSeeThere);
    }
    if (ssl_error != SSL_ERROR_SSL) fail_lost(what);
    if (!open) fail_handshake(reason);
    throw Error(ErrorCode::kCorrupt,
                std::string(what) + " " + peer_name() + " failed: " + openssl_reason());
}

void TlsStream::State::fail_lost(const char* what) {
    ERR_clear_error();
    const int reason = socket.last_error;
    throw Error(ErrorCode::kIo,
                std::string(what) + " " + peer_name() + ": the connection was lost" +
                    (reason != 0 ? std::string(": ") + std::strerror(reason) : ""),
                kSeeThere);
}

void TlsStream::State::fail_handshake(int reason) {
    const std::string text = openssl_reason();
    if (!verifier.refusal().empty()) throw Error(ErrorCode::kRefused, verifier.refusal());
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        throw Error(ErrorCode::kRefused,
                    "the peer showed no certificate, expected " + verifier.expected_text());
    }
    if (peer_refused_us(reason)) {
        throw Error(ErrorCode::kRefused,
                    peer_name() + " refused this side, which is " + own_claim + ": " + text,
                    "the other side must expect this name and pin, or trust its authority");
    }
    if (is_other_version(reason)) {
        throw Error(ErrorCode::kUnsupported,
                    "the peer speaks another version than TLS 1.3: " + text);
    }
    if (reason == SSL_R_NO_APPLICATION_PROTOCOL ||
        reason == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL) {
        throw Error(ErrorCode::kUnsupported,
                    "the peer speaks another protocol than \"" + options.protocol + "\"");
    }
    throw Error(ErrorCode::kCorrupt, "the TLS 1.3 handshake failed: " + text,
                "does the other side speak TLS here?");
}

TlsStream::TlsStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsStream::TlsStream(TlsStream&&) noexcept = default;
TlsStream& TlsStream::operator=(TlsStream&&) noexcept = default;
TlsStream::~TlsStream() = default;

TlsStream TlsStream::open(bool server, int socket, const NetworkIdentity& self,
                          const ExpectedPeer& peer, const TlsOptions& options) {
    auto state = std::make_unique<State>(server, socket, self, peer, options);
    const Clock::time_point deadline = deadline_after(options.handshake_timeout);
    try {
        state->shake_hands(server, deadline);
    } catch (...) {
        drain(state->socket.descriptor());
        throw;
    }
    return TlsStream(std::move(state));
}

void TlsStream::State::shake_hands(bool server, Clock::time_point deadline) {
    run([&] { return SSL_do_handshake(ssl.get()); }, deadline, "the handshake with");
    const unsigned char* protocol = nullptr;
    unsigned protocol_bytes = 0;
    SSL_get0_alpn_selected(ssl.get(), &protocol, &protocol_bytes);
    const std::string_view agreed(reinterpret_cast<const char*>(protocol), protocol_bytes);
    if (!verifier.peer() || agreed != options.protocol) {
        throw Error(ErrorCode::kUnsupported,
                    "the peer did not agree to the protocol \"" + options.protocol + "\"");
    }
    uint8_t accepted = kAccepted;
    size_t count = 0;
    const auto confirm = [&] {
        return server ? SSL_write_ex(ssl.get(), &accepted, 1, &count)
                      : SSL_read_ex(ssl.get(), &accepted, 1, &count);
    };
    if (!run(confirm, deadline, "the handshake with") || accepted != kAccepted) {
        throw Error(ErrorCode::kCorrupt, "the peer did not confirm the handshake");
    }
    open = true;
}

TlsStream TlsStream::connect(int socket, const NetworkIdentity& self, const ExpectedPeer& peer,
                             const TlsOptions& options) {
    if (peer.names.empty() && (peer.pins.empty() || !peer.authorities.empty())) {
        internal::Socket taken(socket);
        throw Error(ErrorCode::kUsage, "connecting needs the name of the expected peer",
                    "set ExpectedPeer::names");
    }
    return open(false, socket, self, peer, options);
}

TlsStream TlsStream::accept(int socket, const NetworkIdentity& self, const ExpectedPeer& peer,
                            const TlsOptions& options) {
    return open(true, socket, self, peer, options);
}

size_t TlsStream::read(std::span<uint8_t> out) {
    if (out.empty()) return 0;
    size_t count = 0;
    const auto call = [&] {
        return SSL_read_ex(state_->ssl.get(), out.data(), std::min(out.size(), kMaxCallBytes),
                           &count);
    };
    const auto deadline = deadline_after(state_->options.idle_timeout);
    return state_->run(call, deadline, "reading from") ? count : 0;
}

void TlsStream::read_all(std::span<uint8_t> out) {
    size_t done = 0;
    while (done < out.size()) {
        const size_t count = read(out.subspan(done));
        if (count == 0) {
            throw Error(ErrorCode::kCorrupt, state_->peer_name() + " closed after " +
                                                 std::to_string(done) + " bytes, expected " +
                                                 std::to_string(out.size()));
        }
        done += count;
    }
}

void TlsStream::write(ByteView data) {
    State& state = *state_;
    if (state.closed) throw Error(ErrorCode::kUsage, "this side has closed the stream already");
    while (!data.empty()) {
        size_t count = 0;
        const auto call = [&] {
            if (state.bytes_since_rekey >= state.options.rekey_bytes &&
                SSL_key_update(state.ssl.get(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1) {
                state.bytes_since_rekey = 0;
            }
            return SSL_write_ex(state.ssl.get(), data.data(), std::min(data.size(), kMaxCallBytes),
                                &count);
        };
        state.run(call, deadline_after(state.options.idle_timeout), "writing to");
        state.bytes_since_rekey += count;
        data = data.subspan(count);
    }
}

void TlsStream::close() {
    State& state = *state_;
    if (state.closed) return;
    state.closed = true;
    const auto call = [&] {
        const int done = SSL_shutdown(state.ssl.get());
        return done == 0 ? 1 : done;  // 0: ours is sent, theirs is not there yet
    };
    state.run(call, deadline_after(state.options.idle_timeout), "closing the stream to");
}

void TlsStream::abort() noexcept { ::shutdown(state_->socket.descriptor(), SHUT_RDWR); }

const TlsPeer& TlsStream::peer() const { return *state_->verifier.peer(); }
uint64_t TlsStream::bytes_sent() const { return state_->socket.bytes_sent; }
uint64_t TlsStream::bytes_received() const { return state_->socket.bytes_received; }

SecretBytes TlsStream::export_key(std::string_view label, size_t size_bytes) const {
    SecretBytes out(size_bytes);
    const std::lock_guard lock(state_->mutex);
    internal::require_openssl(
        SSL_export_keying_material(state_->ssl.get(), out.reveal_mutable().data(), size_bytes,
                                   label.data(), label.size(), nullptr, 0, 0),
        "exporting a key");
    return out;
}

}  // namespace ward::crypto
