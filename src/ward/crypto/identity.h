// Who a party is on the network: a private key, and a certificate with the party's name.
//
// Two ways to trust, and no third party in either:
//   pinned     each side is told the other's pin (certificate.h); certificates are self-signed
//   authority  someone runs a self-made CA, whose key stays offline; parties trust its certificate
//              and check names. A party's self-signed certificate serves as the request, so the
//              private key never leaves its owner.
//
// Keys are Ed25519 (RFC 8410) or, where browsers and older gRPC stacks must connect, ECDSA P-256.
// There is no revocation: keep validity short, or take the name off the list of expected peers.
//
//   NetworkIdentity alice = NetworkIdentity::create("alice");
//   CertificateAuthority ca = CertificateAuthority::create("consortium");
//   alice.set_certificates({ca.issue(alice.certificate(), {.name = "alice"})});
//
// Threat: who reads certificates and signatures learns no key; who holds the CA's key can be
// anybody. Thread safety: const objects may be shared.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/crypto/certificate.h"

namespace ward::crypto {

enum class IdentityKey { kEd25519, kP256 };

// The certificate says it is valid from five minutes before `from`, for clocks that differ.
struct Validity {
    std::chrono::system_clock::time_point from = std::chrono::system_clock::now();
    std::chrono::hours duration = std::chrono::hours(24 * 397);
};

struct IdentityOptions {
    IdentityKey key = IdentityKey::kEd25519;
    Validity validity;
    // Further DNS names and IP addresses, for servers that browsers and curl connect to.
    std::vector<std::string> hosts;
};

class NetworkIdentity {
  public:
    // A fresh key with a self-signed certificate. Throws Error kInvalid for a name that
    // require_party_name refuses.
    static NetworkIdentity create(const std::string& name, const IdentityOptions& options = {});

    // A private key (PKCS #8, PEM) and its certificate, followed by those between it and the
    // authority if there are any. Throws Error kInvalid when they do not belong together; the
    // message never repeats the key.
    static NetworkIdentity from_pem(const SecretBytes& key_pem, std::vector<Certificate> chain);

    const Certificate& certificate() const { return chain_.front(); }
    const std::vector<Certificate>& chain() const { return chain_; }
    const SecretBytes& key_pem() const { return key_pem_; }
    std::string name() const { return certificate().name(); }
    std::string pin() const { return certificate().pin(); }

    // Puts a certificate of an authority in place of the present one. Throws Error kInvalid when it
    // is for another key.
    void set_certificates(std::vector<Certificate> chain);

    // The same key and names under a new self-signed certificate: pins stay as they are.
    NetworkIdentity renewed(const Validity& validity) const;

  private:
    NetworkIdentity(SecretBytes key_pem, std::vector<Certificate> chain);

    SecretBytes key_pem_;
    std::vector<Certificate> chain_;  // never empty
};

class CertificateAuthority {
  public:
    // `name` is for people; the same rules as for parties.
    static CertificateAuthority create(const std::string& name,
                                       const Validity& validity = {
                                           .duration = std::chrono::hours(24 * 3650)});
    // Throws Error kInvalid unless the certificate is that of an authority.
    static CertificateAuthority from_identity(NetworkIdentity identity);

    const NetworkIdentity& identity() const { return identity_; }
    const Certificate& certificate() const { return identity_.certificate(); }

    // A certificate for the key of a self-signed one, whose signature proves that who made the
    // request holds that key. That the name and the hosts are theirs is for the caller to know, so
    // they are given here once more: Error kRefused when the request asks for others, kInvalid when
    // its signature does not hold or it is an authority itself.
    struct Grant {
        std::string name;
        std::vector<std::string> hosts;
        Validity validity;
    };
    Certificate issue(const Certificate& request, const Grant& grant) const;

  private:
    explicit CertificateAuthority(NetworkIdentity identity) : identity_(std::move(identity)) {}

    NetworkIdentity identity_;
};

// The folder with the keys of this user: NAME.key (mode 0600, PEM, or an age file under a
// passphrase) and NAME.crt. The folder must belong to the user and let nobody else in (0700).
class KeyDirectory {
  public:
    // Makes the folder if it is missing. Throws Error kRefused for another owner or mode.
    explicit KeyDirectory(std::string path);

    // $WARD_KEY_DIR, $XDG_CONFIG_HOME/ward/keys or ~/.config/ward/keys. Throws Error kUsage
    // without any of the three.
    static std::string default_path();

    // Never over another key (Error kIo). With a passphrase the key is encrypted (age, scrypt).
    void save(const NetworkIdentity& identity, const SecretBytes& passphrase = {}) const;
    // Replaces NAME.crt. Throws Error kInvalid when it is for another key than NAME.crt was.
    void save_certificates(const std::string& name, const std::vector<Certificate>& chain) const;
    // `passphrase` is asked for when the key is encrypted.
    NetworkIdentity load(const std::string& name,
                         const std::function<SecretBytes()>& passphrase = nullptr) const;

    std::string key_path(const std::string& name) const;
    std::string certificate_path(const std::string& name) const;
    std::vector<std::string> names() const;  // sorted
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace ward::crypto
