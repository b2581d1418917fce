#include <sodium.h>

#include <algorithm>

#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/crypto/age.h"
#include "ward/crypto/internal/encoding.h"

namespace ward::crypto {
namespace {

constexpr std::string_view kRecipientPrefix = "age";
constexpr std::string_view kIdentityPrefix = "age-secret-key-";
constexpr size_t kKeyBytes = 32;

AgeRecipient recipient_of(const SecretBytes& secret_key) {
    std::array<uint8_t, kKeyBytes> key{};
    crypto_scalarmult_curve25519_base(key.data(), secret_key.reveal().data());
    return AgeRecipient(key);
}

}  // namespace

AgeRecipient AgeRecipient::parse(std::string_view text) {
    const std::string shown(text.substr(0, 80));
    const auto decoded = internal::decode_bech32(text);
    if (!decoded) {
        if (text.starts_with("ssh-")) {
            throw Error(ErrorCode::kUnsupported, "recipient \"" + shown + "\" is an SSH key",
                        "use a native one, age1..., from `ward key new`");
        }
        throw Error(ErrorCode::kInvalid, "recipient \"" + shown + "\" is not a valid age1... key",
                    "check that it was copied whole");
    }
    if (decoded->hrp != kRecipientPrefix) {
        throw Error(ErrorCode::kUnsupported,
                    "recipient \"" + shown + "\" is of type " + decoded->hrp.substr(0, 40) +
                        "1..., expected age1...",
                    "plugin and post-quantum recipients are not supported");
    }
    if (decoded->data.size() != kKeyBytes || decoded->upper_case) {
        throw Error(ErrorCode::kInvalid, "recipient \"" + shown + "\" is not a valid age1... key");
    }
    std::array<uint8_t, kKeyBytes> key{};
    std::copy_n(decoded->data.reveal().begin(), kKeyBytes, key.begin());
    return AgeRecipient(key);
}

std::string AgeRecipient::text() const {
    const SecretBytes text = internal::bech32(kRecipientPrefix, public_key_, false);
    return std::string(internal::text_of(text.reveal()));
}

AgeIdentity::AgeIdentity(SecretBytes secret_key)
    : secret_key_(std::move(secret_key)), recipient_(recipient_of(secret_key_)) {}

AgeIdentity AgeIdentity::generate() {
    SecretBytes key(kKeyBytes);
    Random::from_system().fill(key.reveal_mutable());
    return AgeIdentity(std::move(key));
}

AgeIdentity AgeIdentity::parse(std::string_view text) {
    auto decoded = internal::decode_bech32(text);
    if (!decoded || !decoded->hrp.starts_with("age-")) {
        throw Error(ErrorCode::kInvalid, "an identity must be a line AGE-SECRET-KEY-1...",
                    "check that it was copied whole");
    }
    if (decoded->hrp != kIdentityPrefix) {
        throw Error(
            ErrorCode::kUnsupported,
            "identity of type " + decoded->hrp.substr(0, 40) + ", expected AGE-SECRET-KEY-1...",
            "plugin and post-quantum identities are not supported");
    }
    if (decoded->data.size() != kKeyBytes || !decoded->upper_case) {
        throw Error(ErrorCode::kInvalid, "an identity must be a line AGE-SECRET-KEY-1...");
    }
    return AgeIdentity(std::move(decoded->data));
}

SecretBytes AgeIdentity::text() const {
    return internal::bech32(kIdentityPrefix, secret_key_.reveal(), true);
}

}  // namespace ward::crypto
