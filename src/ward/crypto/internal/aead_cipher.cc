#include "ward/crypto/internal/aead_cipher.h"

#include <openssl/crypto.h>
#include <sodium.h>

#include <algorithm>

#include "ward/core/error.h"

namespace ward::crypto::internal {
namespace {

constexpr size_t kNonceBytes = 12;
constexpr size_t kMaxUpdateBytes = size_t{1} << 30;  // EVP counts in int

const EVP_CIPHER* cipher_of(AeadCipher::Kind kind, size_t key_bytes) {
    if (kind == AeadCipher::Kind::kChaCha20Poly1305 && key_bytes == 32) {
        return EVP_chacha20_poly1305();
    }
    if (kind == AeadCipher::Kind::kAesGcm && key_bytes == 16) return EVP_aes_128_gcm();
    if (kind == AeadCipher::Kind::kAesGcm && key_bytes == 24) return EVP_aes_192_gcm();
    if (kind == AeadCipher::Kind::kAesGcm && key_bytes == 32) return EVP_aes_256_gcm();
    throw Error(ErrorCode::kUsage,
                "an aead key must have 32 bytes, got " + std::to_string(key_bytes));
}

void update(EVP_CIPHER_CTX* context, uint8_t* out, ByteView in) {
    while (!in.empty()) {
        const size_t count = std::min(in.size(), kMaxUpdateBytes);
        int written = 0;
        require_openssl(
            EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(count)), "aead");
        if (out != nullptr) out += written;
        in = in.subspan(count);
    }
}

}  // namespace

AeadCipher::AeadCipher(Kind kind, ByteView key) : context_(EVP_CIPHER_CTX_new()) {
    require_openssl(EVP_CipherInit_ex(context_.get(), cipher_of(kind, key.size()), nullptr,
                                      key.data(), nullptr, 1),
                    "aead key");
}

void AeadCipher::seal(ByteView nonce, ByteView plaintext, ByteView associated,
                      std::span<uint8_t> out) {
    if (nonce.size() != kNonceBytes || out.size() != plaintext.size() + kAeadTagBytes) {
        throw Error(ErrorCode::kInternal, "aead seal: wrong size of nonce or output");
    }
    EVP_CIPHER_CTX* context = context_.get();
    require_openssl(EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce.data(), 1), "seal");
    update(context, nullptr, associated);
    update(context, out.data(), plaintext);
    int written = 0;
    uint8_t* tag = out.data() + plaintext.size();
    require_openssl(EVP_CipherFinal_ex(context, tag, &written), "seal");
    require_openssl(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, tag),
                    "seal");
}

bool AeadCipher::open(ByteView nonce, ByteView sealed, ByteView associated,
                      std::span<uint8_t> out) {
    if (nonce.size() != kNonceBytes || sealed.size() < kAeadTagBytes ||
        out.size() != sealed.size() - kAeadTagBytes) {
        throw Error(ErrorCode::kInternal, "aead open: wrong size of nonce, input or output");
    }
    EVP_CIPHER_CTX* context = context_.get();
    require_openssl(EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce.data(), 0), "open");
    auto* tag = const_cast<uint8_t*>(sealed.data() + out.size());
    require_openssl(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, tag),
                    "open");
    update(context, nullptr, associated);
    update(context, out.data(), sealed.first(out.size()));
    int written = 0;
    uint8_t nothing[1];
    if (EVP_CipherFinal_ex(context, nothing, &written) == 1) return true;
    (void)openssl_reason();  // a wrong tag is an answer, not a failure
    OPENSSL_cleanse(out.data(), out.size());
    return false;
}

SecretBytes hchacha20(ByteView key, ByteView nonce16) {
    SecretBytes out(crypto_core_hchacha20_OUTPUTBYTES);
    crypto_core_hchacha20(out.reveal_mutable().data(), nonce16.data(), key.data(), nullptr);
    return out;
}

}  // namespace ward::crypto::internal
