#include "ward/core/seed_stream.h"

#include <bit>
#include <charconv>
#include <string>

#include "ward/core/digest.h"
#include "ward/core/internal/aes_ctr.h"

namespace ward {

static_assert(std::endian::native == std::endian::little);

SeedStream::SeedStream(const PublicSeed& seed, uint64_t index) {
    std::array<uint8_t, 8> index_bytes;
    for (int i = 0; i < 8; ++i) index_bytes[i] = static_cast<uint8_t>(index >> (8 * i));
    const std::string digest =
        Sha256().update("ward seed stream 1").update(seed).update(index_bytes).hex();
    for (size_t i = 0; i < key_.size(); ++i) {
        std::from_chars(digest.data() + 2 * i, digest.data() + 2 * i + 2, key_[i], 16);
    }
}

void SeedStream::next_block(std::span<uint64_t, kBlockWords> out) {
    static const internal::AesCtrKernel kernel = internal::aes256_ctr_kernel();
    kernel(key_.data(), key_.data(), reinterpret_cast<uint8_t*>(out.data()), out.size_bytes());
}

}  // namespace ward
