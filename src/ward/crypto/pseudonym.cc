#include "ward/crypto/pseudonym.h"

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/kdf.h"

namespace ward::crypto {
namespace {

constexpr size_t kMinKeyBytes = 16;
constexpr size_t kPseudonymBytes = 16;

SecretBytes domain_key(const SecretBytes& key, std::string_view domain) {
    if (key.size() < kMinKeyBytes) {
        throw Error(ErrorCode::kUsage, "a pseudonym key must have at least 16 bytes, got " +
                                           std::to_string(key.size()));
    }
    return hkdf(Hash::kSha256, key.reveal(), internal::bytes_of("ward pseudonym v1"), domain, 32);
}

}  // namespace

Pseudonyms::Pseudonyms(const SecretBytes& key, std::string_view domain)
    : key_(domain_key(key, domain)) {}

std::string Pseudonyms::of(std::string_view value) const {
    const Bytes mac = hmac(Hash::kSha256, key_.reveal(), internal::bytes_of(value));
    return internal::hex(ByteView(mac).first(kPseudonymBytes));
}

std::string guessable_salted_hash(ByteView salt, std::string_view value) {
    return Sha256().update(salt).update(value).hex();
}

}  // namespace ward::crypto
