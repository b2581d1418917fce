#include <immintrin.h>

#include "ward/data/internal/csv_scan.h"

namespace ward::data::internal {
namespace {

struct Block {
    explicit Block(const uint8_t* from)
        : low(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))),
          high(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32))) {}
    uint64_t equal(uint8_t wanted) const {
        const __m256i value = _mm256_set1_epi8(static_cast<char>(wanted));
        const auto first =
            static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, value)));
        const auto second =
            static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, value)));
        return first | static_cast<uint64_t>(second) << 32;
    }
    __m256i low, high;
};

}  // namespace
}  // namespace ward::data::internal

#include "ward/data/internal/csv_scan_impl.h"

namespace ward::data::internal {

const ScanKernels kScanAvx2 = {summarise, index};

}  // namespace ward::data::internal
