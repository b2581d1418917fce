// An authenticated, encrypted stream over a connected socket: TLS 1.3 (RFC 8446) and nothing else,
// with certificates on both sides, by OpenSSL.
//
//   TlsStream stream = TlsStream::connect(socket, alice, {.names = {"bob"}, .pins = pins});
//   stream.write(question);
//   stream.read(answer);
//   stream.close();
//
// Threat: an attacker who owns the network. They learn the lengths and times of what is sent, and
// cut the connection, which is never mistaken for its end: `read` returns 0 only after the peer's
// close_notify. Both calls return only when each side has accepted the other's certificate (the
// accepting side says so by one byte 1, since a TLS 1.3 client would otherwise learn of a refusal
// only later). Both sides must name the same application protocol (ALPN). No tickets, resumption,
// early data, or renegotiation; X25519 or P-256; fresh traffic keys after `rekey_bytes`.
//
// Errors: kRefused when a peer is not who it should be (the message names both) or refuses us;
// kUnsupported for another TLS version or protocol; kCorrupt for bytes that are no TLS, changed
// records and cut streams; kIo for timeouts and lost connections.
//
// Thread safety: one thread may read while another writes; `abort` may come from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/crypto/identity.h"

namespace ward::crypto {

// Who may be at the other end. A name with pins must have one of their keys; authorities vouch for
// names without. Certificates out of their validity are refused in both cases.
struct ExpectedPeer {
    // Empty: anyone pinned or vouched for. `connect` does not allow that with authorities, because
    // then any of their parties could stand in the way.
    std::vector<std::string> names;
    std::vector<PeerPin> pins;
    std::vector<Certificate> authorities;
};

struct TlsOptions {
    std::chrono::milliseconds handshake_timeout{10'000};  // for all of it
    std::chrono::milliseconds idle_timeout{0};  // of a read or write without progress; 0: none
    std::string protocol = "ward/1";            // ALPN, 1 to 255 bytes
    uint64_t rekey_bytes = uint64_t{1} << 36;   // AES-GCM's limit is about 2^38 (RFC 8446, 5.5)
};

struct TlsPeer {
    std::string name;  // by the pin or the authority, not by the peer's own word
    Certificate certificate;
};

class TlsStream {
  public:
    // Both take the socket over, also when they throw, and make it non-blocking. `connect` throws
    // Error kUsage when `peer` names nobody.
    static TlsStream connect(int socket, const NetworkIdentity& self, const ExpectedPeer& peer,
                             const TlsOptions& options = {});
    static TlsStream accept(int socket, const NetworkIdentity& self, const ExpectedPeer& peer,
                            const TlsOptions& options = {});

    TlsStream(TlsStream&&) noexcept;
    TlsStream& operator=(TlsStream&&) noexcept;
    // Without a `close` before, the peer sees a stream that was cut.
    ~TlsStream();

    // Waits for at least one byte; 0 after the peer's `close`.
    size_t read(std::span<uint8_t> out);
    // Fills `out`. Throws Error kCorrupt when the peer closes before.
    void read_all(std::span<uint8_t> out);
    void write(ByteView data);
    // Tells the peer that no more comes; reading goes on. A second call does nothing.
    void close();
    // Ends every call that waits, on both sides; they throw.
    void abort() noexcept;

    const TlsPeer& peer() const;
    uint64_t bytes_sent() const;  // on the wire, with all of TLS
    uint64_t bytes_received() const;

    // A key that both ends share and nobody else (RFC 8446, 7.5), to bind other protocols to this
    // connection.
    SecretBytes export_key(std::string_view label, size_t size_bytes) const;

  private:
    struct State;
    explicit TlsStream(std::unique_ptr<State> state);
    static TlsStream open(bool server, int socket, const NetworkIdentity& self,
                          const ExpectedPeer& peer, const TlsOptions& options);

    std::unique_ptr<State> state_;
};

}  // namespace ward::crypto
