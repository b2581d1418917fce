#include <sodium.h>

#include <algorithm>
#include <string>

#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/minisign.h"
#include "ward/crypto/kdf.h"
#include "ward/crypto/signature.h"

namespace ward::crypto {
namespace {

using internal::bytes_of;
using internal::text_of;

constexpr std::string_view kAlgorithm = "Ed";
constexpr std::string_view kScryptKdf = "Sc";
constexpr std::string_view kChecksum = "B2";
constexpr std::string_view kNoKdf{"\0\0", 2};
constexpr std::string_view kSecretComment = "untrusted comment: minisign encrypted secret key\n";

// Places in the decoded secret key (minisign.h, SeckeyStruct).
constexpr size_t kKdfAt = 2;
constexpr size_t kChecksumAt = 4;
constexpr size_t kSaltAt = 6;
constexpr size_t kSaltBytes = 32;
constexpr size_t kOpsLimitAt = 38;
constexpr size_t kMemLimitAt = 46;
constexpr size_t kBodyAt = 54;  // number, seed and point, checksum: under the key stream
constexpr size_t kNumberBytes = 8;
constexpr size_t kSecretBytes = 64;
constexpr size_t kBodyBytes = kNumberBytes + kSecretBytes + 32;
constexpr size_t kFileBytes = kBodyAt + kBodyBytes;
constexpr uint64_t kMaxMemory = uint64_t{1} << 31;
constexpr uint64_t kMaxOperations = uint64_t{1} << 28;

[[noreturn]] void fail_secret(const std::string& what) {
    throw Error(ErrorCode::kInvalid, "secret key file: " + what,
                "expected a file made by `ward key new --signing` or `minisign -G`");
}

void store_le64(uint64_t value, uint8_t* out) {
    for (size_t i = 0; i < 8; ++i) out[i] = static_cast<uint8_t>(value >> (8 * i));
}

uint64_t load_le64(const uint8_t* in) {
    uint64_t value = 0;
    for (size_t i = 0; i < 8; ++i) value |= uint64_t{in[i]} << (8 * i);
    return value;
}

std::array<uint8_t, 32> key_checksum(ByteView number_and_secret) {
    std::array<uint8_t, 32> out{};
    crypto_generichash_state state;
    crypto_generichash_init(&state, nullptr, 0, out.size());
    crypto_generichash_update(&state, bytes_of(kAlgorithm).data(), kAlgorithm.size());
    crypto_generichash_update(&state, number_and_secret.data(), number_and_secret.size());
    crypto_generichash_final(&state, out.data(), out.size());
    return out;
}

// XORs the key stream of the passphrase over the body.
void crypt_body(std::span<uint8_t> file, const SecretBytes& passphrase) {
    const uint64_t operations = load_le64(&file[kOpsLimitAt]);
    const uint64_t memory = load_le64(&file[kMemLimitAt]);
    if (operations > kMaxOperations || memory > kMaxMemory) {
        fail_secret("its scrypt cost is above the limit of 2 GiB");
    }
    SecretBytes stream(kBodyBytes);
    if (crypto_pwhash_scryptsalsa208sha256(
            stream.reveal_mutable().data(), kBodyBytes,
            reinterpret_cast<const char*>(passphrase.reveal().data()), passphrase.size(),
            &file[kSaltAt], operations, memory) != 0) {
        throw Error(ErrorCode::kIo, "scrypt needs " + std::to_string(memory >> 20) +
                                        " MiB of memory, which the system does not give");
    }
    for (size_t i = 0; i < kBodyBytes; ++i) file[kBodyAt + i] ^= stream.reveal()[i];
}

std::array<uint8_t, 32> point_of(const SecretBytes& secret) {
    std::array<uint8_t, 32> point{};
    std::copy_n(secret.reveal().begin() + 32, 32, point.begin());
    return point;
}

bool has_own_point(const SecretBytes& secret) {
    std::array<uint8_t, 32> point{};
    SecretBytes expanded(kSecretBytes);
    crypto_sign_ed25519_seed_keypair(point.data(), expanded.reveal_mutable().data(),
                                     secret.reveal().data());
    return equal_constant_time(expanded.reveal(), secret.reveal());
}

}  // namespace

VerificationKey VerificationKey::parse(std::string_view text) {
    const auto lines = internal::minisign_lines(text);
    const bool has_comment = !lines.empty() && lines[0].starts_with("untrusted comment:");
    const size_t wanted = has_comment ? 2 : 1;
    const auto bytes = lines.size() == wanted
                           ? internal::decode_base64(lines.back(), internal::Base64::kPadded)
                           : std::nullopt;
    if (!bytes || bytes->size() != 42 || !text_of(*bytes).starts_with(kAlgorithm)) {
        throw Error(ErrorCode::kInvalid,
                    "not a minisign public key: expected a line RW... of 56 characters",
                    "give the .pub file or the line it holds");
    }
    std::array<uint8_t, 8> number{};
    std::array<uint8_t, 32> point{};
    std::copy_n(bytes->begin() + 2, 8, number.begin());
    std::copy_n(bytes->begin() + 10, 32, point.begin());
    return VerificationKey(number, point);
}

std::string VerificationKey::text() const {
    Bytes bytes(kAlgorithm.begin(), kAlgorithm.end());
    bytes.insert(bytes.end(), number_.begin(), number_.end());
    bytes.insert(bytes.end(), point_.begin(), point_.end());
    return internal::base64(bytes, internal::Base64::kPadded);
}

std::string VerificationKey::file_text() const {
    return "untrusted comment: minisign public key " + number_text() + "\n" + text() + "\n";
}

std::string VerificationKey::number_text() const { return internal::number_text(number_); }

bool VerificationKey::verify_message(ByteView message, ByteView signature) const {
    return signature.size() == kSignatureBytes &&
           crypto_sign_ed25519_verify_detached(signature.data(), message.data(), message.size(),
                                               point_.data()) == 0;
}

SigningKey::SigningKey(const std::array<uint8_t, 8>& number, SecretBytes seed_and_point)
    : secret_(std::move(seed_and_point)), verification_key_(number, point_of(secret_)) {}

SigningKey SigningKey::generate() {
    Random random = Random::from_system();
    SecretBytes seed(32);
    random.fill(seed.reveal_mutable());
    std::array<uint8_t, 8> number{};
    random.fill(number);
    SecretBytes secret(kSecretBytes);
    std::array<uint8_t, 32> point{};
    crypto_sign_ed25519_seed_keypair(point.data(), secret.reveal_mutable().data(),
                                     seed.reveal().data());
    return SigningKey(number, std::move(secret));
}

SigningKey SigningKey::parse(std::string_view text,
                             const std::function<SecretBytes()>& passphrase) {
    const auto lines = internal::minisign_lines(text);
    if (lines.size() != 2 || !lines[0].starts_with("untrusted comment:")) {
        fail_secret("expected a comment line and a key line");
    }
    auto decoded = internal::decode_base64_secret(lines[1], internal::Base64::kPadded);
    if (!decoded || decoded->size() != kFileBytes) fail_secret("the key line is malformed");
    const std::span<uint8_t> file = decoded->reveal_mutable();
    const std::string_view head = text_of(decoded->reveal());
    const std::string_view kdf = head.substr(kKdfAt, 2);
    if (!head.starts_with(kAlgorithm) || head.substr(kChecksumAt, 2) != kChecksum ||
        (kdf != kScryptKdf && kdf != kNoKdf)) {
        fail_secret("unknown algorithms");
    }
    if (kdf == kScryptKdf) {
        if (!passphrase) fail_secret("it is encrypted, and no passphrase was given");
        crypt_body(file, passphrase());
    }
    const ByteView body = decoded->reveal().subspan(kBodyAt);
    SecretBytes secret(body.subspan(kNumberBytes, kSecretBytes));
    // Files without a passphrase have zeros for a checksum.
    if (kdf == kScryptKdf &&
        !equal_constant_time(key_checksum(body.first(kNumberBytes + kSecretBytes)),
                             body.last(32))) {
        throw Error(ErrorCode::kInvalid, "the passphrase is not that of this secret key");
    }
    // A point that is not the seed's would let signatures reveal the seed.
    if (!has_own_point(secret)) fail_secret("its two halves do not belong together");
    std::array<uint8_t, 8> number{};
    std::copy_n(body.begin(), kNumberBytes, number.begin());
    return SigningKey(number, std::move(secret));
}

SecretBytes SigningKey::file_text(const SecretBytes& passphrase) const {
    SecretBytes data(kFileBytes);
    const std::span<uint8_t> file = data.reveal_mutable();
    const bool encrypted = !passphrase.empty();
    const std::string head = std::string(kAlgorithm) +
                             std::string(encrypted ? kScryptKdf : kNoKdf) + std::string(kChecksum);
    std::copy(head.begin(), head.end(), file.begin());
    const std::span<uint8_t> body = file.subspan(kBodyAt);
    std::copy_n(verification_key_.number().begin(), kNumberBytes, body.begin());
    std::copy_n(secret_.reveal().begin(), kSecretBytes, body.begin() + kNumberBytes);
    if (encrypted) {
        const auto checksum = key_checksum(body.first(kNumberBytes + kSecretBytes));
        std::copy(checksum.begin(), checksum.end(), body.begin() + kNumberBytes + kSecretBytes);
        Random::from_system().fill(file.subspan(kSaltAt, kSaltBytes));
        store_le64(crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE, &file[kOpsLimitAt]);
        store_le64(crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE, &file[kMemLimitAt]);
        crypt_body(file, passphrase);
    }
    const SecretBytes line = internal::base64_secret(data.reveal(), internal::Base64::kPadded);
    SecretBytes out(kSecretComment.size() + line.size() + 1);
    uint8_t* next = out.reveal_mutable().data();
    next = std::copy(kSecretComment.begin(), kSecretComment.end(), next);
    next = std::copy(line.reveal().begin(), line.reveal().end(), next);
    *next = '\n';
    return out;
}

std::array<uint8_t, kSignatureBytes> SigningKey::sign_message(ByteView message) const {
    std::array<uint8_t, kSignatureBytes> signature{};
    crypto_sign_ed25519_detached(signature.data(), nullptr, message.data(), message.size(),
                                 secret_.reveal().data());
    return signature;
}

}  // namespace ward::crypto
