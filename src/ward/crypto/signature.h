// Ed25519 signatures (RFC 8032) in the format of minisign (https://jedisct1.github.io/minisign):
// what Ward signs, `minisign -V` verifies, and the other way round. Files are hashed with BLAKE2b
// first (format "ED"), so a file of any size is signed in constant memory; the older format "Ed" is
// refused.
//
// A signature covers the file and a trusted comment. Verification follows libsodium: points of
// small order and non-canonical encodings are refused. Threat: who reads all signatures and asks
// for signatures of files of their choice cannot make one for another file or comment.
//
// Secret key files are encrypted under a passphrase with scrypt at minisign's own cost (1 GiB, some
// seconds), or not at all. Thread safety: const objects may be shared.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "ward/core/bytes.h"
#include "ward/crypto/stream.h"

namespace ward::crypto {

inline constexpr size_t kSignatureBytes = 64;

// A public key with minisign's key number, which is a hint for people and carries no trust.
class VerificationKey {
  public:
    VerificationKey(const std::array<uint8_t, 8>& number, const std::array<uint8_t, 32>& point)
        : number_(number), point_(point) {}

    // A public key file, or its base64 line `RW...` alone. Throws Error kInvalid.
    static VerificationKey parse(std::string_view text);

    std::string text() const;         // the line `RW...`
    std::string file_text() const;    // with the comment line
    std::string number_text() const;  // 16 capital hexadecimal digits, as minisign prints it
    const std::array<uint8_t, 8>& number() const { return number_; }
    const std::array<uint8_t, 32>& point() const { return point_; }
    bool operator==(const VerificationKey&) const = default;

    // Of a plain Ed25519 signature of a message.
    bool verify_message(ByteView message, ByteView signature) const;

  private:
    std::array<uint8_t, 8> number_;
    std::array<uint8_t, 32> point_;
};

class SigningKey {
  public:
    static SigningKey generate();

    // A secret key file; `passphrase` is asked for when it is encrypted. Throws Error kInvalid
    // (malformed, wrong passphrase).
    static SigningKey parse(std::string_view file_text,
                            const std::function<SecretBytes()>& passphrase);

    // The secret key file; not encrypted when the passphrase is empty.
    SecretBytes file_text(const SecretBytes& passphrase) const;

    const VerificationKey& verification_key() const { return verification_key_; }
    std::array<uint8_t, kSignatureBytes> sign_message(ByteView message) const;

  private:
    SigningKey(const std::array<uint8_t, 8>& number, SecretBytes seed_and_point);

    SecretBytes secret_;  // 64 bytes: seed, point
    VerificationKey verification_key_;
};

// The text of a `.minisig` file. Comments are one line each, at most 8 KiB; Error kUsage else.
struct SignatureComments {
    std::string trusted;
    std::string untrusted = "signature from ward";
};
std::string sign(ByteSource& file, const SigningKey& key, const SignatureComments& comments);

struct VerifiedSignature {
    size_t key_index = 0;  // which of the trusted keys made it
    std::string trusted_comment;
};

// Checks the signature of a file by one of the trusted keys. Throws Error kCorrupt when the file,
// the comment or the signature was changed, kInvalid when the signature is by none of the keys
// (naming both sides), kUnsupported for the older format.
VerifiedSignature verify(ByteSource& file, std::string_view signature_text,
                         std::span<const VerificationKey> trusted);

}  // namespace ward::crypto
