// Deterministic authenticated encryption, AES-SIV (RFC 5297): equal plaintexts under one key and
// context give equal ciphertexts. That is what makes pseudonyms that can be joined between tables
// and turned back by the key's owner, and it is also what they leak: who sees the ciphertexts knows
// which values are equal and how often each occurs. Keep the context different for columns that
// must not be joined.
//
// Threat: as Aead, but for equality. Misuse of nonces is no concern: there is none. Thread-safe.
#pragma once

#include "ward/core/bytes.h"

namespace ward::crypto {

inline constexpr size_t kSivBytes = 16;

class DeterministicAead {
  public:
    // 64 bytes (AES-256-SIV), 48 or 32. Throws Error kUsage for other sizes.
    explicit DeterministicAead(const SecretBytes& key);

    static SecretBytes new_key();  // 64 bytes

    // The synthetic IV (16 bytes) and the ciphertext. The context is always a component of its own,
    // also when it is empty.
    Bytes seal(ByteView plaintext, ByteView context) const;

    // Throws Error kCorrupt when the bytes were not sealed under this key and context.
    SecretBytes open(ByteView sealed, ByteView context) const;

  private:
    SecretBytes key_;
};

}  // namespace ward::crypto
