// Certificates of network parties: X.509 (RFC 5280) with the party's name as DNS name, and pins.
//
// A pin is the SHA-256 of the public key (its SubjectPublicKeyInfo) in curl's notation,
// `sha256//BASE64`, so `curl --pinnedpubkey` takes it too. Raw public keys (RFC 7250) would say the
// same with fewer bytes; OpenSSL 3.0 lacks them, so a pinned party shows a self-signed certificate
// of which the key alone counts.
//
// A certificate is public and says nothing about who may be trusted: that is `ExpectedPeer`'s part
// (tls.h). Thread safety: values; a certificate never changes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ward::crypto {

namespace internal {
struct X509Access;
}

class Certificate {
  public:
    // One certificate in PEM. Throws Error kInvalid; what follows the first one is ignored.
    static Certificate parse_pem(std::string_view text);

    std::string pem() const;
    // The first DNS name, which is the party's; the common name where there is none (as in a
    // certificate of an authority). Printable ASCII, at most 64 characters; "" without a name.
    std::string name() const;
    std::string issuer_name() const;
    std::string pin() const;
    int64_t valid_from() const;   // seconds since 1970, as all times here
    int64_t valid_until() const;  // the last second
    bool is_authority() const;    // may sign other certificates
    bool is_self_signed() const;

    bool operator==(const Certificate& other) const;

  private:
    friend struct internal::X509Access;
    explicit Certificate(std::shared_ptr<void> x509) : x509_(std::move(x509)) {}

    std::shared_ptr<void> x509_;  // OpenSSL's X509, never changed
};

// All certificates of a PEM file (at most 1 MiB), at least one. Throws Error kInvalid, kNotFound.
std::vector<Certificate> load_certificates(const std::string& path);

// The key of a party, agreed upon by other means: one line "NAME sha256//BASE64".
struct PeerPin {
    std::string name;
    std::string pin;

    static PeerPin parse(std::string_view line);  // Throws Error kInvalid.
    bool operator==(const PeerPin&) const = default;
};

// A text file of such lines with comments (#). A name may stand in several lines while its key
// changes.
std::vector<PeerPin> load_pins(const std::string& path);

// Names of parties: 1 to 64 characters, labels of a-z, 0-9 and inner hyphens joined by dots. Throws
// Error kInvalid.
void require_party_name(std::string_view name);

}  // namespace ward::crypto
