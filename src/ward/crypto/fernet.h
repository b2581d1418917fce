// Fernet tokens (https://github.com/fernet/spec, version 0x80), as Python's `cryptography` makes
// and reads them: AES-128-CBC and HMAC-SHA256 with a time. For exchange with programs that use
// them; new data takes Aead. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ward/core/bytes.h"

namespace ward::crypto {

class FernetKey {
  public:
    static FernetKey generate();
    // 44 characters of URL-safe base64. Throws Error kInvalid.
    static FernetKey parse(std::string_view text);
    SecretBytes text() const;

    // The time is in seconds since 1970 and readable by everybody.
    std::string encrypt(ByteView plaintext, uint64_t now_seconds) const;

    struct Limits {
        uint64_t now_seconds = 0;
        uint64_t max_age_seconds = 0;
    };
    // Throws Error kCorrupt when the token was changed or is of another key, kInvalid when it is
    // older than the limits allow or more than a minute in the future; without limits any age goes.
    SecretBytes decrypt(std::string_view token, const std::optional<Limits>& limits = {}) const;

  private:
    explicit FernetKey(SecretBytes key) : key_(std::move(key)) {}
    ByteView mac_key() const { return key_.reveal().first(16); }
    ByteView cipher_key() const { return key_.reveal().last(16); }

    SecretBytes key_;  // 32 bytes
};

}  // namespace ward::crypto
