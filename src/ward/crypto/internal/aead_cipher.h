// One keyed AEAD context for many messages: the key schedule is made once, and a message costs no
// allocation. Not thread-safe; one for each thread.
#pragma once

#include "ward/core/bytes.h"
#include "ward/crypto/aead.h"
#include "ward/crypto/internal/openssl.h"

namespace ward::crypto::internal {

// With a 12-byte nonce: AES-GCM (keys of 16, 24 or 32 bytes) and ChaCha20-Poly1305.
class AeadCipher {
  public:
    enum class Kind { kAesGcm, kChaCha20Poly1305 };

    AeadCipher(Kind kind, ByteView key);

    // `out` has plaintext.size() + 16 bytes and is `plaintext` itself or does not overlap it.
    void seal(ByteView nonce, ByteView plaintext, ByteView associated, std::span<uint8_t> out);

    // `out` has sealed.size() - 16 bytes; false and zeros when the tag does not match.
    [[nodiscard]] bool open(ByteView nonce, ByteView sealed, ByteView associated,
                            std::span<uint8_t> out);

  private:
    CipherContext context_;
};

// HChaCha20: the key and the last 8 nonce bytes of XChaCha20 as a key for ChaCha20.
SecretBytes hchacha20(ByteView key, ByteView nonce16);

}  // namespace ward::crypto::internal
