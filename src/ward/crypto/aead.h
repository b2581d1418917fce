// Authenticated encryption of data in memory.
//
// kAes256Gcm (NIST SP 800-38D): the fastest where the processor has AES; 12-byte nonces, so at most
// 2^32 messages with random nonces under one key. kChaCha20Poly1305 (RFC 8439): the same limits.
// kXChaCha20Poly1305 (draft-irtf-cfrg-xchacha): 24-byte nonces, random ones never repeat; take this
// when in doubt.
//
// Threat: who reads and changes ciphertexts at will learns their length only and cannot make a new
// one that opens. A nonce used twice under one key breaks that: `seal` therefore draws its own; the
// calls with a nonce are for formats that count. None of the three commits to its key: a ciphertext
// can be made to open under two keys by someone who knows both.
//
// Thread safety: a const Aead may be used by many threads.
#pragma once

#include <cstdint>

#include "ward/core/bytes.h"

namespace ward::crypto {

enum class AeadAlgorithm { kAes256Gcm, kChaCha20Poly1305, kXChaCha20Poly1305 };

inline constexpr size_t kAeadKeyBytes = 32;
inline constexpr size_t kAeadTagBytes = 16;
size_t aead_nonce_bytes(AeadAlgorithm algorithm);

class Aead {
  public:
    // Throws Error kUsage unless the key has 32 bytes.
    Aead(AeadAlgorithm algorithm, const SecretBytes& key);

    static SecretBytes new_key();

    // nonce || ciphertext || tag with a fresh random nonce. `associated` is authenticated, not
    // stored.
    Bytes seal(ByteView plaintext, ByteView associated = {}) const;

    // The plaintext. Throws Error kCorrupt when the bytes were not sealed under this key with this
    // associated data.
    SecretBytes open(ByteView sealed, ByteView associated = {}) const;

    // For formats that count their nonces: ciphertext || tag. The caller vouches that no nonce is
    // used twice. `out` holds plaintext.size() + 16 bytes.
    void seal_with_nonce(ByteView nonce, ByteView plaintext, ByteView associated,
                         std::span<uint8_t> out) const;

    // False when the tag does not match; `out` (sealed.size() - 16 bytes) is zero then.
    [[nodiscard]] bool open_with_nonce(ByteView nonce, ByteView sealed, ByteView associated,
                                       std::span<uint8_t> out) const;

  private:
    AeadAlgorithm algorithm_;
    SecretBytes key_;
};

}  // namespace ward::crypto
