#include "ward/crypto/identity.h"

#include <openssl/x509v3.h>

#include <algorithm>

#include "ward/core/error.h"
#include "ward/crypto/internal/x509.h"

namespace ward::crypto {
namespace {

using internal::X509Access;

void require_validity(const Validity& validity) {
    if (validity.duration > std::chrono::hours(0) &&
        validity.duration <= std::chrono::hours(24 * 36500)) {
        return;
    }
    throw Error(ErrorCode::kInvalid, "a certificate must be valid for 1 to 36500 days, got " +
                                         std::to_string(validity.duration.count() / 24));
}

void require_hosts(const std::vector<std::string>& hosts) {
    for (const std::string& host : hosts) {
        const internal::OpensslPtr<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> address(
            a2i_IPADDRESS(host.c_str()));
        if (address == nullptr) require_party_name(host);
    }
    (void)internal::openssl_reason();
}

void require_own_key(EVP_PKEY* key, const std::vector<Certificate>& chain) {
    if (chain.empty()) throw Error(ErrorCode::kInvalid, "an identity needs a certificate");
    if (X509_check_private_key(X509Access::get(chain.front()), key) == 1) return;
    (void)internal::openssl_reason();
    throw Error(ErrorCode::kInvalid, "the certificate of \"" + chain.front().name() +
                                         "\" is for another private key than the one given");
}

void require_granted(const std::string& name, const std::vector<std::string>& hosts,
                     const CertificateAuthority::Grant& grant) {
    if (name != grant.name) {
        throw Error(ErrorCode::kRefused, "the request is for the name \"" + name +
                                             "\", expected \"" + grant.name + "\"");
    }
    for (const std::string& host : hosts) {
        if (host == name ||
            std::find(grant.hosts.begin(), grant.hosts.end(), host) != grant.hosts.end()) {
            continue;
        }
        throw Error(ErrorCode::kRefused,
                    "the request of \"" + name + "\" also asks for the host \"" +
                        internal::printable(host) + "\", which was not granted",
                    "name it with --host if it belongs to this party");
    }
}

// A self-signed certificate for this key.
Certificate self_signed(EVP_PKEY* key, const std::string& name,
                        const std::vector<std::string>& hosts, const Validity& validity,
                        bool authority) {
    require_validity(validity);
    return internal::make_certificate({key, name, hosts, authority, validity}, nullptr, key);
}

}  // namespace

NetworkIdentity::NetworkIdentity(SecretBytes key_pem, std::vector<Certificate> chain)
    : key_pem_(std::move(key_pem)), chain_(std::move(chain)) {}

NetworkIdentity NetworkIdentity::create(const std::string& name, const IdentityOptions& options) {
    require_party_name(name);
    require_hosts(options.hosts);
    const internal::KeyPtr key = internal::generate_key(options.key);
    return {internal::key_to_pem(key.get()),
            {self_signed(key.get(), name, options.hosts, options.validity, false)}};
}

NetworkIdentity NetworkIdentity::from_pem(const SecretBytes& key_pem,
                                          std::vector<Certificate> chain) {
    const internal::KeyPtr key = internal::key_from_pem(key_pem);
    require_own_key(key.get(), chain);
    return {key_pem.clone(), std::move(chain)};
}

void NetworkIdentity::set_certificates(std::vector<Certificate> chain) {
    require_own_key(internal::key_from_pem(key_pem_).get(), chain);
    chain_ = std::move(chain);
}

NetworkIdentity NetworkIdentity::renewed(const Validity& validity) const {
    const internal::KeyPtr key = internal::key_from_pem(key_pem_);
    return {key_pem_.clone(),
            {self_signed(key.get(), name(), internal::certificate_hosts(certificate()), validity,
                         certificate().is_authority())}};
}

CertificateAuthority CertificateAuthority::create(const std::string& name,
                                                  const Validity& validity) {
    require_party_name(name);
    const internal::KeyPtr key = internal::generate_key(IdentityKey::kEd25519);
    const Certificate certificate = self_signed(key.get(), name, {}, validity, true);
    return CertificateAuthority(
        NetworkIdentity::from_pem(internal::key_to_pem(key.get()), {certificate}));
}

CertificateAuthority CertificateAuthority::from_identity(NetworkIdentity identity) {
    if (!identity.certificate().is_authority()) {
        throw Error(ErrorCode::kInvalid,
                    "\"" + identity.name() + "\" is a party and no certificate authority",
                    "`ward key ca` makes one");
    }
    return CertificateAuthority(std::move(identity));
}

Certificate CertificateAuthority::issue(const Certificate& request, const Grant& grant) const {
    require_validity(grant.validity);
    const std::string name = request.name();
    require_party_name(grant.name);
    if (request.is_authority()) {
        throw Error(ErrorCode::kInvalid,
                    "\"" + name + "\" is an authority; only parties get certificates here");
    }
    X509* x509 = X509Access::get(request);
    EVP_PKEY* subject_key = X509_get0_pubkey(x509);
    if (subject_key == nullptr || X509_verify(x509, subject_key) != 1) {
        const std::string reason = internal::openssl_reason();
        throw Error(ErrorCode::kInvalid,
                    "the request of \"" + name + "\" is not signed by its own key: " + reason,
                    "send the self-signed certificate that `ward key party` made");
    }
    const std::vector<std::string> hosts = internal::certificate_hosts(request);
    require_granted(name, hosts, grant);
    const internal::KeyPtr key = internal::key_from_pem(identity_.key_pem());
    return internal::make_certificate({subject_key, name, hosts, false, grant.validity},
                                      &certificate(), key.get());
}

}  // namespace ward::crypto
