#include "ward/crypto/aead.h"

#include <algorithm>
#include <array>
#include <string>

#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/crypto/internal/aead_cipher.h"

namespace ward::crypto {
namespace {

using internal::AeadCipher;

constexpr size_t kShortNonceBytes = 12;
constexpr size_t kLongNonceBytes = 24;

struct CipherAndNonce {
    AeadCipher cipher;
    std::array<uint8_t, kShortNonceBytes> nonce{};
};

void check_nonce(AeadAlgorithm algorithm, ByteView nonce) {
    if (nonce.size() == aead_nonce_bytes(algorithm)) return;
    throw Error(ErrorCode::kUsage, "the nonce must have " +
                                       std::to_string(aead_nonce_bytes(algorithm)) +
                                       " bytes, got " + std::to_string(nonce.size()));
}

CipherAndNonce keyed(AeadAlgorithm algorithm, const SecretBytes& key, ByteView nonce) {
    check_nonce(algorithm, nonce);
    if (algorithm == AeadAlgorithm::kXChaCha20Poly1305) {
        const SecretBytes subkey = internal::hchacha20(key.reveal(), nonce.first(16));
        CipherAndNonce out{AeadCipher(AeadCipher::Kind::kChaCha20Poly1305, subkey.reveal())};
        std::copy_n(nonce.begin() + 16, 8, out.nonce.begin() + 4);
        return out;
    }
    const auto kind = algorithm == AeadAlgorithm::kAes256Gcm ? AeadCipher::Kind::kAesGcm
                                                             : AeadCipher::Kind::kChaCha20Poly1305;
    CipherAndNonce out{AeadCipher(kind, key.reveal())};
    std::copy_n(nonce.begin(), kShortNonceBytes, out.nonce.begin());
    return out;
}

}  // namespace

size_t aead_nonce_bytes(AeadAlgorithm algorithm) {
    return algorithm == AeadAlgorithm::kXChaCha20Poly1305 ? kLongNonceBytes : kShortNonceBytes;
}

Aead::Aead(AeadAlgorithm algorithm, const SecretBytes& key)
    : algorithm_(algorithm), key_(key.clone()) {
    if (key.size() != kAeadKeyBytes) {
        throw Error(ErrorCode::kUsage,
                    "an aead key must have 32 bytes, got " + std::to_string(key.size()));
    }
}

SecretBytes Aead::new_key() {
    SecretBytes key(kAeadKeyBytes);
    Random::from_system().fill(key.reveal_mutable());
    return key;
}

Bytes Aead::seal(ByteView plaintext, ByteView associated) const {
    const size_t nonce_bytes = aead_nonce_bytes(algorithm_);
    Bytes out(nonce_bytes + plaintext.size() + kAeadTagBytes);
    const std::span<uint8_t> nonce = std::span(out).first(nonce_bytes);
    Random::from_system().fill(nonce);
    seal_with_nonce(nonce, plaintext, associated, std::span(out).subspan(nonce_bytes));
    return out;
}

SecretBytes Aead::open(ByteView sealed, ByteView associated) const {
    const size_t nonce_bytes = aead_nonce_bytes(algorithm_);
    if (sealed.size() < nonce_bytes + kAeadTagBytes) {
        throw Error(ErrorCode::kCorrupt, "sealed data must have at least " +
                                             std::to_string(nonce_bytes + kAeadTagBytes) +
                                             " bytes, got " + std::to_string(sealed.size()));
    }
    SecretBytes out(sealed.size() - nonce_bytes - kAeadTagBytes);
    if (!open_with_nonce(sealed.first(nonce_bytes), sealed.subspan(nonce_bytes), associated,
                         out.reveal_mutable())) {
        throw Error(ErrorCode::kCorrupt,
                    "sealed data does not open: changed, another key or other associated data");
    }
    return out;
}

void Aead::seal_with_nonce(ByteView nonce, ByteView plaintext, ByteView associated,
                           std::span<uint8_t> out) const {
    CipherAndNonce state = keyed(algorithm_, key_, nonce);
    state.cipher.seal(state.nonce, plaintext, associated, out);
}

bool Aead::open_with_nonce(ByteView nonce, ByteView sealed, ByteView associated,
                           std::span<uint8_t> out) const {
    CipherAndNonce state = keyed(algorithm_, key_, nonce);
    return state.cipher.open(state.nonce, sealed, associated, out);
}

}  // namespace ward::crypto
