// The settings of every TLS connection, and the decision on the peer's certificate.
#pragma once

#include <openssl/ssl.h>

#include <optional>
#include <string>

#include "ward/crypto/internal/openssl.h"
#include "ward/crypto/tls.h"

namespace ward::crypto::internal {

using SslContext = OpensslPtr<SSL_CTX, SSL_CTX_free>;
using Ssl = OpensslPtr<SSL, SSL_free>;

// Decides during the handshake and keeps the answer. Lives as long as its SSL_CTX.
class PeerVerifier {
  public:
    explicit PeerVerifier(const ExpectedPeer& expected) : expected_(expected) {}

    // True when the peer is one of the expected; else `refusal` says who came instead, and the
    // store's error says it to the peer.
    bool decide(X509_STORE_CTX* store);

    const std::optional<TlsPeer>& peer() const { return peer_; }
    const std::string& refusal() const { return refusal_; }
    std::string expected_text() const;

  private:
    bool refuse(X509_STORE_CTX* store, int code, const std::string& why);
    bool decide_in_time(X509_STORE_CTX* store, const Certificate& certificate);
    std::optional<std::string> name_by_pin(const Certificate& certificate) const;
    bool is_pinned(const std::string& name) const;
    bool decide_by_authority(X509_STORE_CTX* store, const Certificate& certificate);

    ExpectedPeer expected_;
    std::optional<TlsPeer> peer_;
    std::string refusal_;
};

// `verifier` and `protocol` (the ALPN wire form) must outlive the context.
SslContext make_tls_context(bool server, const NetworkIdentity& self, const ExpectedPeer& expected,
                            PeerVerifier& verifier, const std::string& protocol_wire);

}  // namespace ward::crypto::internal
