// Keys from keys, keys from passphrases, and message authentication codes.
//
// HMAC (RFC 2104), HKDF (RFC 5869), PBKDF2 (RFC 8018) and scrypt (RFC 7914), by OpenSSL and
// libsodium. Passphrases take scrypt; PBKDF2 is here to read what others wrote. Thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

#include "ward/core/bytes.h"

namespace ward::crypto {

enum class Hash { kSha256, kSha512 };
size_t hash_bytes(Hash hash);

// All of the digest, 32 or 64 bytes.
Bytes hmac(Hash hash, ByteView key, ByteView message);

// `size_bytes` <= 255 digests; throws Error kUsage beyond.
SecretBytes hkdf(Hash hash, ByteView secret, ByteView salt, std::string_view info,
                 size_t size_bytes);
SecretBytes hkdf(Hash hash, ByteView secret, ByteView salt, ByteView info, size_t size_bytes);

SecretBytes pbkdf2(Hash hash, ByteView passphrase, ByteView salt, uint32_t iterations,
                   size_t size_bytes);

// Needs 128 * r * 2^log2_n bytes of memory. Throws Error kUsage for parameters outside of
// 1 <= log2_n <= 30, 1 <= r, p and r * p < 2^30; Error kIo when there is too little memory.
struct ScryptCost {
    int log2_n = 18;
    uint32_t r = 8;
    uint32_t p = 1;
};
SecretBytes scrypt(ByteView passphrase, ByteView salt, const ScryptCost& cost, size_t size_bytes);

// True when equal; the time depends on the lengths only.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace ward::crypto
