// Encrypted files in the age v1 format (C2SP age.md, https://age-encryption.org/v1): what Ward
// writes, `age` opens, and the other way round.
//
// A file has one random file key. The header wraps it for each X25519 recipient, or under a
// passphrase (scrypt, which then stands alone), and is authenticated by it; the payload is
// ChaCha20-Poly1305 over chunks of 64 KiB (STREAM), so files of any size take constant memory.
// Recipients of other kinds (SSH, plugins, ML-KEM hybrids) are skipped in a file that also has one
// of ours; Ward does not write them.
//
// Threat: who reads and changes files at will, without an identity, learns the length and the
// number and kinds of recipients, and every change is found before the changed chunk is put out.
// age does not say who encrypted a file: sign it (signature.h) for that.
//
// Errors: kCorrupt with `age header: ...`, `age armor: ...` or `age payload: ...`; kInvalid when no
// identity or passphrase fits; kUnsupported for identities Ward lacks. Thread safety: values; the
// functions may run at the same time on different sources and sinks.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/crypto/stream.h"

namespace ward::crypto {

// A public key, written `age1...`.
class AgeRecipient {
  public:
    // Throws Error kInvalid, or kUnsupported for other kinds of recipients.
    static AgeRecipient parse(std::string_view text);
    explicit AgeRecipient(const std::array<uint8_t, 32>& public_key) : public_key_(public_key) {}

    std::string text() const;
    const std::array<uint8_t, 32>& public_key() const { return public_key_; }
    bool operator==(const AgeRecipient&) const = default;

  private:
    std::array<uint8_t, 32> public_key_;
};

// A secret key, written `AGE-SECRET-KEY-1...`.
class AgeIdentity {
  public:
    static AgeIdentity generate();
    // Throws Error kInvalid, which never repeats the text, or kUnsupported.
    static AgeIdentity parse(std::string_view text);

    SecretBytes text() const;  // ASCII, without a line end
    const AgeRecipient& recipient() const { return recipient_; }
    const SecretBytes& secret_key() const { return secret_key_; }

  private:
    explicit AgeIdentity(SecretBytes secret_key);

    SecretBytes secret_key_;  // 32 bytes
    AgeRecipient recipient_;
};

// For whom a file is: recipients, or a passphrase, never both (the format forbids it).
struct AgeRecipients {
    std::vector<AgeRecipient> recipients;
    SecretBytes passphrase;  // empty: none
    int scrypt_log2_n = 18;  // 2^18: 256 MiB and about a second
};

// What may open a file.
struct AgeKeys {
    std::vector<AgeIdentity> identities;
    // Asked once, and only for a file that has a passphrase.
    std::function<SecretBytes()> passphrase;
    int max_scrypt_log2_n = 22;  // a header that asks for more work is refused
};

// Encrypts `in` to `out`; `armor` writes the text form (PEM). Throws Error kUsage without any
// recipient or with both kinds.
void age_encrypt(ByteSource& in, ByteSink& out, const AgeRecipients& recipients,
                 bool armor = false);

// Decrypts, binary or armored. `out` gets only authenticated chunks, but a truncation shows at the
// end only: use a sink that keeps back its file until the call has returned.
void age_decrypt(ByteSource& in, ByteSink& out, const AgeKeys& keys);

// The same payload under a header for other recipients, at the price of a copy. The file key stays:
// who could open the old file and kept its key can open the new one. To lock somebody out, encrypt
// anew.
void age_rewrap(ByteSource& in, ByteSink& out, const AgeKeys& keys, const AgeRecipients& recipients,
                bool armor = false);

// True when the bytes start as an age file does, binary or armored.
bool looks_like_age(ByteView first_bytes);

}  // namespace ward::crypto
