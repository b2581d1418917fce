#include "ward/crypto/fernet.h"

#include <algorithm>
#include <climits>

#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/crypto/internal/declassify.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/openssl.h"
#include "ward/crypto/kdf.h"

namespace ward::crypto {
namespace {

using internal::Base64;
using internal::require_openssl;

constexpr uint8_t kVersion = 0x80;
constexpr size_t kBlockBytes = 16;
constexpr size_t kHeadBytes = 1 + 8 + kBlockBytes;  // version, time, IV
constexpr size_t kMacBytes = 32;
constexpr uint64_t kMaxClockSkewSeconds = 60;

[[noreturn]] void fail_token() {
    throw Error(ErrorCode::kCorrupt,
                "the fernet token is malformed, was changed, or is of another key");
}

internal::CipherContext cbc_context(ByteView key, ByteView iv, bool encrypt) {
    internal::CipherContext context(EVP_CIPHER_CTX_new());
    require_openssl(EVP_CipherInit_ex(context.get(), EVP_aes_128_cbc(), nullptr, key.data(),
                                      iv.data(), encrypt ? 1 : 0),
                    "aes-cbc");
    return context;
}

}  // namespace

FernetKey FernetKey::generate() {
    SecretBytes key(32);
    Random::from_system().fill(key.reveal_mutable());
    return FernetKey(std::move(key));
}

FernetKey FernetKey::parse(std::string_view text) {
    auto key = internal::decode_base64_secret(text, Base64::kUrlPadded);
    if (!key || key->size() != 32) {
        throw Error(ErrorCode::kInvalid,
                    "a fernet key must be 32 bytes of URL-safe base64 (44 characters)");
    }
    return FernetKey(std::move(*key));
}

SecretBytes FernetKey::text() const {
    return internal::base64_secret(key_.reveal(), Base64::kUrlPadded);
}

std::string FernetKey::encrypt(ByteView plaintext, uint64_t now_seconds) const {
    if (plaintext.size() > INT_MAX - 2 * kBlockBytes) {
        throw Error(ErrorCode::kUsage,
                    "a fernet token holds less than 2 GiB, got " +
                        std::to_string(plaintext.size()) + " bytes",
                    "use age for files");
    }
    const size_t padded = (plaintext.size() / kBlockBytes + 1) * kBlockBytes;
    Bytes token(kHeadBytes + padded);
    token[0] = kVersion;
    for (size_t i = 0; i < 8; ++i) token[1 + i] = static_cast<uint8_t>(now_seconds >> (56 - 8 * i));
    const std::span<uint8_t> iv = std::span(token).subspan(9, kBlockBytes);
    Random::from_system().fill(iv);
    const auto context = cbc_context(cipher_key(), iv, true);
    int written = 0;
    int last = 0;
    uint8_t* out = token.data() + kHeadBytes;
    require_openssl(EVP_CipherUpdate(context.get(), out, &written, plaintext.data(),
                                     static_cast<int>(plaintext.size())),
                    "aes-cbc");
    require_openssl(EVP_CipherFinal_ex(context.get(), out + written, &last), "aes-cbc");
    const Bytes mac = hmac(Hash::kSha256, mac_key(), token);
    token.insert(token.end(), mac.begin(), mac.end());
    return internal::base64(token, Base64::kUrlPadded);
}

SecretBytes FernetKey::decrypt(std::string_view text, const std::optional<Limits>& limits) const {
    const auto decoded = internal::decode_base64(text, Base64::kUrlPadded);
    if (!decoded || decoded->size() < kHeadBytes + kBlockBytes + kMacBytes ||
        decoded->size() > INT_MAX || (*decoded)[0] != kVersion) {
        fail_token();
    }
    const ByteView token = *decoded;
    const ByteView signed_part = token.first(token.size() - kMacBytes);
    if (!equal_constant_time(hmac(Hash::kSha256, mac_key(), signed_part), token.last(kMacBytes))) {
        fail_token();
    }
    uint64_t time = 0;
    for (const uint8_t byte : token.subspan(1, 8)) time = time << 8 | byte;
    if (limits &&
        (time > limits->now_seconds + kMaxClockSkewSeconds ||
         (time < limits->now_seconds && limits->now_seconds - time > limits->max_age_seconds))) {
        throw Error(ErrorCode::kInvalid, "the fernet token was made at " + std::to_string(time) +
                                             ", outside of the time allowed");
    }
    const ByteView sealed = signed_part.subspan(kHeadBytes);
    if (sealed.size() % kBlockBytes != 0) fail_token();
    SecretBytes padded(sealed.size() + kBlockBytes);
    const auto context = cbc_context(cipher_key(), token.subspan(9, kBlockBytes), false);
    int written = 0;
    int last = 0;
    uint8_t* out = padded.reveal_mutable().data();
    require_openssl(EVP_CipherUpdate(context.get(), out, &written, sealed.data(),
                                     static_cast<int>(sealed.size())),
                    "aes-cbc");
    // Behind the MAC: a wrong padding was made by the key's owner and tells nothing to others.
    if (internal::declassify(EVP_CipherFinal_ex(context.get(), out + written, &last)) != 1) {
        (void)internal::openssl_reason();
        fail_token();
    }
    const int size = internal::declassify(written + last);
    return SecretBytes(padded.reveal().first(static_cast<size_t>(size)));
}

}  // namespace ward::crypto
