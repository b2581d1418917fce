#include "ward/crypto/internal/age_stanza.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <set>

#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/crypto/internal/aead_cipher.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/x25519.h"
#include "ward/crypto/kdf.h"

namespace ward::crypto::internal {
namespace {

constexpr std::string_view kX25519Type = "X25519";
constexpr std::string_view kX25519Info = "age-encryption.org/v1/X25519";
constexpr std::string_view kScryptType = "scrypt";
constexpr std::string_view kScryptLabel = "age-encryption.org/v1/scrypt";
constexpr size_t kPointBytes = 32;
constexpr size_t kScryptSaltBytes = 16;
constexpr size_t kWrappedBytes = kAgeFileKeyBytes + kAeadTagBytes;
constexpr std::array<uint8_t, 12> kZeroNonce{};  // each wrapping key is used once

Bytes seal_file_key(const SecretBytes& wrap_key, const SecretBytes& file_key) {
    Bytes body(kWrappedBytes);
    AeadCipher(AeadCipher::Kind::kChaCha20Poly1305, wrap_key.reveal())
        .seal(kZeroNonce, file_key.reveal(), {}, body);
    return body;
}

std::optional<SecretBytes> open_file_key(const SecretBytes& wrap_key, const Bytes& body) {
    SecretBytes file_key(kAgeFileKeyBytes);
    AeadCipher cipher(AeadCipher::Kind::kChaCha20Poly1305, wrap_key.reveal());
    if (!cipher.open(kZeroNonce, body, {}, file_key.reveal_mutable())) return std::nullopt;
    return file_key;
}

// Nothing for a point of low order.
std::optional<SecretBytes> x25519_wrap_key(ByteView secret_scalar, ByteView peer_point,
                                           ByteView ephemeral, ByteView recipient) {
    const auto shared = x25519(secret_scalar, peer_point);
    if (!shared) return std::nullopt;
    Bytes salt(ephemeral.begin(), ephemeral.end());
    salt.insert(salt.end(), recipient.begin(), recipient.end());
    return hkdf(Hash::kSha256, shared->reveal(), salt, kX25519Info, kAeadKeyBytes);
}

AgeStanza wrap_x25519(const SecretBytes& file_key, const AgeRecipient& recipient, Random& random) {
    SecretBytes scalar(kPointBytes);
    random.fill(scalar.reveal_mutable());
    Bytes ephemeral(kPointBytes);
    crypto_scalarmult_curve25519_base(ephemeral.data(), scalar.reveal().data());
    const auto key =
        x25519_wrap_key(scalar.reveal(), recipient.public_key(), ephemeral, recipient.public_key());
    if (!key) {
        throw Error(ErrorCode::kInvalid, "recipient " + recipient.text() +
                                             " is a point of low order, which hides nothing");
    }
    return {{std::string(kX25519Type), base64(ephemeral, Base64::kUnpadded)},
            seal_file_key(*key, file_key)};
}

std::optional<SecretBytes> unwrap_x25519(const AgeStanza& stanza, const AgeIdentity& identity) {
    if (stanza.arguments.size() != 2) fail_age_header("an X25519 stanza must have one argument");
    const auto share = decode_base64(stanza.arguments[1], Base64::kUnpadded);
    if (!share || share->size() != kPointBytes) {
        fail_age_header("the share of an X25519 stanza is not 32 bytes of canonical base64");
    }
    if (stanza.body.size() != kWrappedBytes) {
        fail_age_header("the body of an X25519 stanza must have 32 bytes, got " +
                        std::to_string(stanza.body.size()));
    }
    const auto key = x25519_wrap_key(identity.secret_key().reveal(), *share, *share,
                                     identity.recipient().public_key());
    if (!key) fail_age_header("the share of an X25519 stanza is a point of low order");
    return open_file_key(*key, stanza.body);
}

SecretBytes scrypt_wrap_key(const SecretBytes& passphrase, ByteView salt, int log2_n) {
    const ByteView label = bytes_of(kScryptLabel);
    Bytes labelled(label.begin(), label.end());
    labelled.insert(labelled.end(), salt.begin(), salt.end());
    return scrypt(passphrase.reveal(), labelled, {.log2_n = log2_n}, kAeadKeyBytes);
}

AgeStanza wrap_scrypt(const SecretBytes& file_key, const AgeRecipients& recipients) {
    if (recipients.scrypt_log2_n < 1 || recipients.scrypt_log2_n > 22) {
        throw Error(ErrorCode::kUsage, "the scrypt work factor must be 1 to 22 (log2), got " +
                                           std::to_string(recipients.scrypt_log2_n));
    }
    Bytes salt(kScryptSaltBytes);
    Random::from_system().fill(salt);
    const SecretBytes key = scrypt_wrap_key(recipients.passphrase, salt, recipients.scrypt_log2_n);
    return {{std::string(kScryptType), base64(salt, Base64::kUnpadded),
             std::to_string(recipients.scrypt_log2_n)},
            seal_file_key(key, file_key)};
}

int parse_work_factor(const std::string& text, int max_log2_n) {
    const bool digits =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || text.size() > 9 || text.front() == '0') {
        fail_age_header("the scrypt work factor must be a plain number, got \"" + text + "\"");
    }
    const int log2_n = std::stoi(text);
    if (log2_n > max_log2_n) {
        fail_age_header("the scrypt work factor " + text + " is above the limit of " +
                        std::to_string(max_log2_n));
    }
    return log2_n;
}

SecretBytes unwrap_scrypt(const AgeStanza& stanza, const AgeKeys& keys) {
    if (stanza.arguments.size() != 3) fail_age_header("a scrypt stanza must have two arguments");
    const auto salt = decode_base64(stanza.arguments[1], Base64::kUnpadded);
    if (!salt || salt->size() != kScryptSaltBytes) {
        fail_age_header("the salt of a scrypt stanza is not 16 bytes of canonical base64");
    }
    const int log2_n = parse_work_factor(stanza.arguments[2], keys.max_scrypt_log2_n);
    if (stanza.body.size() != kWrappedBytes) {
        fail_age_header("the body of a scrypt stanza must have 32 bytes, got " +
                        std::to_string(stanza.body.size()));
    }
    if (!keys.passphrase) {
        throw Error(ErrorCode::kInvalid,
                    "this file is encrypted with a passphrase, and none was given",
                    "use --passphrase or --passphrase-fd");
    }
    const SecretBytes key = scrypt_wrap_key(keys.passphrase(), *salt, log2_n);
    auto file_key = open_file_key(key, stanza.body);
    if (!file_key) throw Error(ErrorCode::kInvalid, "the passphrase is not that of this file");
    return std::move(*file_key);
}

[[noreturn]] void fail_no_match(const std::vector<AgeStanza>& stanzas, size_t identities) {
    std::set<std::string> kinds;
    for (const AgeStanza& stanza : stanzas) kinds.insert(stanza.type().substr(0, 64));
    std::string list;
    for (const std::string& kind : kinds) list += (list.empty() ? "" : ", ") + kind;
    throw Error(ErrorCode::kInvalid,
                "none of the identities given (" + std::to_string(identities) +
                    ") opens this file, which has " + std::to_string(stanzas.size()) +
                    " recipient(s) of type " + list,
                kinds.count(std::string(kX25519Type)) != 0
                    ? "use --identity with the secret key of one of its recipients"
                    : "Ward opens X25519 and scrypt recipients only");
}

}  // namespace

std::vector<AgeStanza> wrap_file_key(const SecretBytes& file_key, const AgeRecipients& recipients) {
    const bool has_passphrase = !recipients.passphrase.empty();
    if (has_passphrase == !recipients.recipients.empty()) {
        throw Error(ErrorCode::kUsage, has_passphrase
                                           ? "a passphrase cannot be mixed with recipients"
                                           : "encryption needs a recipient or a passphrase");
    }
    if (has_passphrase) return {wrap_scrypt(file_key, recipients)};
    std::vector<AgeStanza> stanzas;
    Random random = Random::from_system();
    for (const AgeRecipient& recipient : recipients.recipients) {
        stanzas.push_back(wrap_x25519(file_key, recipient, random));
    }
    return stanzas;
}

SecretBytes unwrap_file_key(const std::vector<AgeStanza>& stanzas, const AgeKeys& keys) {
    const auto scrypt_stanza = std::find_if(stanzas.begin(), stanzas.end(), [](const auto& stanza) {
        return stanza.type() == kScryptType;
    });
    if (scrypt_stanza != stanzas.end()) {
        if (stanzas.size() != 1) fail_age_header("a scrypt stanza must stand alone");
        return unwrap_scrypt(*scrypt_stanza, keys);
    }
    for (const AgeIdentity& identity : keys.identities) {
        for (const AgeStanza& stanza : stanzas) {
            if (stanza.type() != kX25519Type) continue;
            auto file_key = unwrap_x25519(stanza, identity);
            if (file_key) return std::move(*file_key);
        }
    }
    fail_no_match(stanzas, keys.identities.size());
}

}  // namespace ward::crypto::internal
