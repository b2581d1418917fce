#include <immintrin.h>

#include "ward/data/internal/csv_scan.h"

namespace ward::data::internal {
namespace {

struct Block {
    explicit Block(const uint8_t* from) : bytes(_mm512_loadu_si512(from)) {}
    uint64_t equal(uint8_t wanted) const {
        return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(static_cast<char>(wanted)));
    }
    __m512i bytes;
};

}  // namespace
}  // namespace ward::data::internal

#include "ward/data/internal/csv_scan_impl.h"

namespace ward::data::internal {

const ScanKernels kScanAvx512 = {summarise, index};

}  // namespace ward::data::internal
