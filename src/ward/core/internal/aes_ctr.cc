#include "ward/core/internal/aes_ctr.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <memory>

#include "ward/core/cpu.h"
#include "ward/core/error.h"

namespace ward::internal {
namespace {

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

void require(int ok) {
    if (ok != 1) throw Error(ErrorCode::kInternal, "AES-256-CTR is not available in this OpenSSL");
}

void encrypt_zeros(EVP_CIPHER_CTX* context, uint8_t* out, size_t size_bytes) {
    std::memset(out, 0, size_bytes);
    int written = 0;
    require(EVP_EncryptUpdate(context, out, &written, out, static_cast<int>(size_bytes)));
}

}  // namespace

void aes256_ctr_openssl(const uint8_t* key, uint8_t* next_key, uint8_t* out, size_t size_bytes) {
    const std::array<uint8_t, 16> counter{};
    std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context(EVP_CIPHER_CTX_new());
    if (context == nullptr) require(0);
    require(EVP_EncryptInit_ex(context.get(), EVP_aes_256_ctr(), nullptr, key, counter.data()));
    encrypt_zeros(context.get(), next_key, 32);
    encrypt_zeros(context.get(), out, size_bytes);
}

bool aes256_ctr_has_aesni() {
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse4.1");
}

bool aes256_ctr_has_vaes512() {
    return cpu_features().vaes && cpu_features().avx512 && aes256_ctr_has_aesni();
}

AesCtrKernel aes256_ctr_kernel() {
    if (isa() >= Isa::kAvx512 && aes256_ctr_has_vaes512()) return aes256_ctr_vaes512;
    if (isa() >= Isa::kAvx2 && aes256_ctr_has_aesni()) return aes256_ctr_aesni;
    return aes256_ctr_openssl;
}

}  // namespace ward::internal
