// Format-preserving encryption: numbers of n digits to numbers of n digits, in any radix.
//
// FF1 (NIST SP 800-38G) both ways. FF3 and FF3-1 were broken down to withdrawal (SP 800-38G Rev. 1,
// 2nd draft, 2025): Ward only decrypts them, to move old data away.
//
// Deterministic: equal values under one key and tweak are equal afterwards, and with few possible
// values who can ask for encryptions knows all of them. Domains (radix^length) under 1,000,000 are
// refused. There is no authentication: any changed value decrypts to some value. Prefer
// DeterministicAead where the format may change.
//
// NOT constant-time, as the names say: arithmetic on long numbers takes time that depends on them.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ward/core/bytes.h"

namespace ward::crypto {

using Numerals = std::vector<uint32_t>;  // each below the radix, most significant first

class FormatPreservingCipher {
  public:
    // AES key of 16, 24 or 32 bytes, radix 2 to 65536. Throws Error kUsage.
    FormatPreservingCipher(const SecretBytes& key, uint32_t radix);
    ~FormatPreservingCipher();
    FormatPreservingCipher(FormatPreservingCipher&&) noexcept;
    FormatPreservingCipher& operator=(FormatPreservingCipher&&) noexcept;

    // Throws Error kInvalid for a numeral outside of the radix, a domain under 1,000,000, or more
    // than 4096 numerals.
    Numerals ff1_encrypt_vartime(const Numerals& plaintext, ByteView tweak) const;
    Numerals ff1_decrypt_vartime(const Numerals& ciphertext, ByteView tweak) const;

    // FF3-1 with a tweak of 7 bytes, FF3 with one of 8.
    Numerals ff3_decrypt_vartime(const Numerals& ciphertext, ByteView tweak) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ward::crypto
