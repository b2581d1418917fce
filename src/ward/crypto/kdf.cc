#include "ward/crypto/kdf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "ward/core/error.h"
#include "ward/crypto/internal/declassify.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/openssl.h"

namespace ward::crypto {
namespace {

const EVP_MD* digest_of(Hash hash) { return hash == Hash::kSha256 ? EVP_sha256() : EVP_sha512(); }

// OpenSSL takes a null pointer for "keep the last key".
const uint8_t* not_null(ByteView data) {
    static const uint8_t nothing = 0;
    return data.empty() ? &nothing : data.data();
}

void hmac_into(Hash hash, ByteView key, ByteView message, uint8_t* out) {
    const uint8_t* done = HMAC(digest_of(hash), not_null(key), static_cast<int>(key.size()),
                               not_null(message), message.size(), out, nullptr);
    internal::require_openssl(done != nullptr ? 1 : 0, "hmac");
}

}  // namespace

size_t hash_bytes(Hash hash) { return hash == Hash::kSha256 ? 32 : 64; }

Bytes hmac(Hash hash, ByteView key, ByteView message) {
    Bytes out(hash_bytes(hash));
    hmac_into(hash, key, message, out.data());
    return out;
}

SecretBytes hkdf(Hash hash, ByteView secret, ByteView salt, ByteView info, size_t size_bytes) {
    // On top of HMAC: OpenSSL 3.0's own HKDF refuses long infos and empty secrets.
    const size_t block_bytes = hash_bytes(hash);
    if (size_bytes > 255 * block_bytes) {
        throw Error(ErrorCode::kUsage, "hkdf gives at most " + std::to_string(255 * block_bytes) +
                                           " bytes, asked for " + std::to_string(size_bytes));
    }
    SecretBytes pseudorandom_key(block_bytes);
    hmac_into(hash, salt, secret, pseudorandom_key.reveal_mutable().data());
    SecretBytes out(size_bytes);
    SecretBytes block(block_bytes);
    SecretBytes message(block_bytes + info.size() + 1);
    for (size_t done = 0, counter = 1; done < size_bytes; ++counter) {
        const size_t previous = counter == 1 ? 0 : block_bytes;
        uint8_t* next = message.reveal_mutable().data();
        next = std::copy_n(block.reveal().data(), previous, next);
        next = std::copy(info.begin(), info.end(), next);
        *next = static_cast<uint8_t>(counter);
        hmac_into(hash, pseudorandom_key.reveal(),
                  message.reveal().first(previous + info.size() + 1),
                  block.reveal_mutable().data());
        const size_t count = std::min(block_bytes, size_bytes - done);
        std::copy_n(block.reveal().data(), count, out.reveal_mutable().data() + done);
        done += count;
    }
    return out;
}

SecretBytes hkdf(Hash hash, ByteView secret, ByteView salt, std::string_view info,
                 size_t size_bytes) {
    return hkdf(hash, secret, salt, internal::bytes_of(info), size_bytes);
}

SecretBytes pbkdf2(Hash hash, ByteView passphrase, ByteView salt, uint32_t iterations,
                   size_t size_bytes) {
    if (iterations == 0 || iterations > INT32_MAX) {
        throw Error(ErrorCode::kUsage,
                    "pbkdf2 needs 1 to 2147483647 iterations, got " + std::to_string(iterations));
    }
    SecretBytes out(size_bytes);
    internal::require_openssl(
        PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(not_null(passphrase)),
                          static_cast<int>(passphrase.size()), not_null(salt),
                          static_cast<int>(salt.size()), static_cast<int>(iterations),
                          digest_of(hash), static_cast<int>(size_bytes),
                          out.reveal_mutable().data()),
        "pbkdf2");
    return out;
}

SecretBytes scrypt(ByteView passphrase, ByteView salt, const ScryptCost& cost, size_t size_bytes) {
    if (cost.log2_n < 1 || cost.log2_n > 30 || cost.r < 1 || cost.p < 1 ||
        uint64_t{cost.r} * cost.p >= uint64_t{1} << 30) {
        throw Error(ErrorCode::kUsage,
                    "scrypt cost out of range: log2_n " + std::to_string(cost.log2_n) + ", r " +
                        std::to_string(cost.r) + ", p " + std::to_string(cost.p));
    }
    SecretBytes out(size_bytes);
    if (crypto_pwhash_scryptsalsa208sha256_ll(not_null(passphrase), passphrase.size(),
                                              not_null(salt), salt.size(),
                                              uint64_t{1} << cost.log2_n, cost.r, cost.p,
                                              out.reveal_mutable().data(), size_bytes) != 0) {
        throw Error(ErrorCode::kIo, "scrypt needs " +
                                        std::to_string((128ull * cost.r << cost.log2_n) >> 20) +
                                        " MiB of memory, which the system does not give");
    }
    return out;
}

bool equal_constant_time(ByteView a, ByteView b) {
    return a.size() == b.size() &&
           (a.empty() || internal::declassify(CRYPTO_memcmp(a.data(), b.data(), a.size())) == 0);
}

}  // namespace ward::crypto
