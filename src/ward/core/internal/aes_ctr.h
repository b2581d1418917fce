// Key stream of AES-256-CTR for core/random: three variants with the same output.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ward::internal {

// Writes key stream bytes 0..31 (counter blocks 0 and 1, zero nonce, big-endian counter) to
// `next_key` and bytes 32..32+size-1 to `out`. `size_bytes` is a multiple of 256 and below 2^32.
// `next_key` may be `key`.
using AesCtrKernel = void (*)(const uint8_t* key, uint8_t* next_key, uint8_t* out,
                              size_t size_bytes);

void aes256_ctr_openssl(const uint8_t* key, uint8_t* next_key, uint8_t* out, size_t size_bytes);
void aes256_ctr_aesni(const uint8_t* key, uint8_t* next_key, uint8_t* out, size_t size_bytes);
void aes256_ctr_vaes512(const uint8_t* key, uint8_t* next_key, uint8_t* out, size_t size_bytes);

bool aes256_ctr_has_aesni();
bool aes256_ctr_has_vaes512();

// The best that this processor runs and WARD_ISA allows.
AesCtrKernel aes256_ctr_kernel();

}  // namespace ward::internal
