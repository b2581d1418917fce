// OpenSSL's certificates and keys behind the public classes.
#pragma once

#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "ward/crypto/identity.h"
#include "ward/crypto/internal/openssl.h"

namespace ward::crypto::internal {

using X509Ptr = OpensslPtr<X509, X509_free>;
using KeyPtr = OpensslPtr<EVP_PKEY, EVP_PKEY_free>;
using BioPtr = OpensslPtr<BIO, BIO_free_all>;

// The door between Certificate and X509.
struct X509Access {
    static X509* get(const Certificate& certificate) {
        return static_cast<X509*>(certificate.x509_.get());
    }
    static Certificate make(X509Ptr x509);
    static Certificate share(X509* x509);  // takes a reference of its own
};

KeyPtr generate_key(IdentityKey kind);
SecretBytes key_to_pem(EVP_PKEY* key);
// Throws Error kInvalid; never asks for a passphrase.
KeyPtr key_from_pem(const SecretBytes& pem);

struct CertificateRequest {
    EVP_PKEY* subject_key = nullptr;
    std::string name;
    std::vector<std::string> hosts;  // DNS names and IP addresses beside the name
    bool authority = false;
    Validity validity;
};
// Signed by `issuer_key`; self-signed without an issuer.
Certificate make_certificate(const CertificateRequest& request, const Certificate* issuer,
                             EVP_PKEY* issuer_key);

// DNS names and addresses as text, in the order of the certificate.
std::vector<std::string> certificate_hosts(const Certificate& certificate);

// `text` fit for a terminal: printable ASCII, at most 64 characters.
std::string printable(std::string_view text);
std::string date_text(int64_t seconds);  // "2026-01-31 12:00 UTC"

}  // namespace ward::crypto::internal
