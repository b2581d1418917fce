#include "ward/crypto/internal/tls_context.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "ward/core/error.h"
#include "ward/crypto/internal/x509.h"

namespace ward::crypto::internal {
namespace {

constexpr size_t kReadBufferBytes = size_t{128} << 10;

std::string quoted(const std::string& name) { return "\"" + printable(name) + "\""; }

// Who a certificate says it is, for messages.
std::string claim_of(const Certificate& certificate) {
    return quoted(certificate.name()) + " (key " + certificate.pin() + ")";
}

bool bears_name(const Certificate& certificate, const std::string& name) {
    constexpr unsigned kFlags = X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    return X509_check_host(X509Access::get(certificate), name.data(), name.size(), kFlags,
                           nullptr) == 1;
}

int verify_certificate(X509_STORE_CTX* store, void* verifier) {
    try {
        return static_cast<PeerVerifier*>(verifier)->decide(store) ? 1 : 0;
    } catch (const std::exception&) {  // none may cross OpenSSL; what is undecided is refused
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
        return 0;
    }
}

int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void* wire) {
    const auto& own = *static_cast<const std::string*>(wire);
    unsigned char* selected = nullptr;
    const int answer = SSL_select_next_proto(
        &selected, out_size, reinterpret_cast<const unsigned char*>(own.data()),
        static_cast<unsigned>(own.size()), offered, offered_size);
    *out = selected;
    return answer == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void use_identity(SSL_CTX* context, const NetworkIdentity& self) {
    const KeyPtr key = key_from_pem(self.key_pem());
    require_openssl(SSL_CTX_use_certificate(context, X509Access::get(self.certificate())),
                    "using a certificate");
    require_openssl(SSL_CTX_use_PrivateKey(context, key.get()), "using a private key");
    for (size_t i = 1; i < self.chain().size(); ++i) {
        require_openssl(
            static_cast<int>(SSL_CTX_add1_chain_cert(context, X509Access::get(self.chain()[i]))),
            "using a certificate");
    }
}

void trust(SSL_CTX* context, const std::vector<Certificate>& authorities) {
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (const Certificate& authority : authorities) {
        if (!authority.is_authority()) {
            throw Error(
                ErrorCode::kInvalid,
                "the certificate of " + quoted(authority.name()) + " is not that of an authority",
                "pin the keys of single parties instead");
        }
        require_openssl(X509_STORE_add_cert(store, X509Access::get(authority)), "trusting");
    }
}

}  // namespace

std::string PeerVerifier::expected_text() const {
    std::string out;
    const auto add = [&](const std::string& text) { out += (out.empty() ? "" : " or ") + text; };
    for (const std::string& name : expected_.names) {
        std::string keys;
        for (const PeerPin& pin : expected_.pins) {
            if (pin.name == name) keys += (keys.empty() ? " (key " : ", ") + pin.pin;
        }
        add(quoted(name) + keys + (keys.empty() ? "" : ")"));
    }
    if (!expected_.names.empty()) return out;
    for (const PeerPin& pin : expected_.pins) add(quoted(pin.name) + " (key " + pin.pin + ")");
    for (const Certificate& authority : expected_.authorities) {
        add("a party of " + quoted(authority.name()));
    }
    return out.empty() ? "nobody" : out;
}

bool PeerVerifier::refuse(X509_STORE_CTX* store, int code, const std::string& why) {
    refusal_ = why;
    X509_STORE_CTX_set_error(store, code);
    return false;
}

bool PeerVerifier::is_pinned(const std::string& name) const {
    return std::any_of(expected_.pins.begin(), expected_.pins.end(),
                       [&](const PeerPin& pin) { return pin.name == name; });
}

std::optional<std::string> PeerVerifier::name_by_pin(const Certificate& certificate) const {
    const std::string presented = certificate.pin();
    const auto& names = expected_.names;
    for (const PeerPin& pin : expected_.pins) {
        const bool wanted =
            names.empty() || std::find(names.begin(), names.end(), pin.name) != names.end();
        if (wanted && pin.pin == presented) return pin.name;
    }
    return std::nullopt;
}

bool PeerVerifier::decide_in_time(X509_STORE_CTX* store, const Certificate& certificate) {
    const auto now = static_cast<int64_t>(std::time(nullptr));
    if (now > certificate.valid_until()) {
        return refuse(store, X509_V_ERR_CERT_HAS_EXPIRED,
                      "the certificate of " + claim_of(certificate) + " expired on " +
                          date_text(certificate.valid_until()));
    }
    if (now < certificate.valid_from()) {
        return refuse(store, X509_V_ERR_CERT_NOT_YET_VALID,
                      "the certificate of " + claim_of(certificate) + " is valid from " +
                          date_text(certificate.valid_from()) + " only; is this clock right?");
    }
    return true;
}

bool PeerVerifier::decide_by_authority(X509_STORE_CTX* store, const Certificate& certificate) {
    if (X509_verify_cert(store) != 1) {
        const int code = X509_STORE_CTX_get_error(store);
        return refuse(store, code,
                      "the peer is " + claim_of(certificate) + ", by the issuer " +
                          quoted(certificate.issuer_name()) + " (" +
                          X509_verify_cert_error_string(code) + "), expected " + expected_text());
    }
    // A pinned name is for its own key alone, whatever an authority says.
    if (expected_.names.empty() && !is_pinned(certificate.name())) {
        peer_ = TlsPeer{certificate.name(), certificate};
        return true;
    }
    for (const std::string& name : expected_.names) {
        if (is_pinned(name) || !bears_name(certificate, name)) continue;
        peer_ = TlsPeer{name, certificate};
        return true;
    }
    return refuse(store, X509_V_ERR_HOSTNAME_MISMATCH,
                  "the peer is " + claim_of(certificate) + ", expected " + expected_text());
}

bool PeerVerifier::decide(X509_STORE_CTX* store) {
    const Certificate certificate = X509Access::share(X509_STORE_CTX_get0_cert(store));
    if (!decide_in_time(store, certificate)) return false;
    if (const auto name = name_by_pin(certificate)) {
        peer_ = TlsPeer{*name, certificate};
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return true;
    }
    if (!expected_.authorities.empty()) return decide_by_authority(store, certificate);
    return refuse(store, X509_V_ERR_CERT_REJECTED,
                  "the peer is " + claim_of(certificate) + ", expected " + expected_text());
}

SslContext make_tls_context(bool server, const NetworkIdentity& self, const ExpectedPeer& expected,
                            PeerVerifier& verifier, const std::string& protocol_wire) {
    SslContext context(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
    require_openssl(context != nullptr ? 1 : 0, "tls");
    SSL_CTX* const raw = context.get();
    require_openssl(static_cast<int>(SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION)), "tls");
    require_openssl(SSL_CTX_set_ciphersuites(raw,
                                             "TLS_AES_256_GCM_SHA384:"
                                             "TLS_CHACHA20_POLY1305_SHA256:"
                                             "TLS_AES_128_GCM_SHA256"),
                    "tls ciphers");
    require_openssl(static_cast<int>(SSL_CTX_set1_groups_list(raw, "X25519:P-256")), "tls groups");
    SSL_CTX_set_options(raw, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(raw, 0);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(raw, 1);  // several records for each system call
    SSL_CTX_set_default_read_buffer_len(raw, kReadBufferBytes);
    use_identity(raw, self);
    trust(raw, expected.authorities);
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_cert_verify_callback(raw, verify_certificate, &verifier);
    if (server) {
        SSL_CTX_set_alpn_select_cb(raw, select_protocol, const_cast<std::string*>(&protocol_wire));
    } else if (SSL_CTX_set_alpn_protos(raw,
                                       reinterpret_cast<const unsigned char*>(protocol_wire.data()),
                                       static_cast<unsigned>(protocol_wire.size())) != 0) {
        throw Error(ErrorCode::kInternal, "tls: cannot set the protocol");
    }
    return context;
}

}  // namespace ward::crypto::internal
