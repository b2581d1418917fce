#include "ward/data/internal/csv_scan.h"

namespace ward::data::internal {
namespace {

struct Block {
    explicit Block(const uint8_t* from) : data(from) {}
    uint64_t equal(uint8_t wanted) const {
        uint64_t bits = 0;
        for (int i = 0; i < 64; ++i) bits |= static_cast<uint64_t>(data[i] == wanted) << i;
        return bits;
    }
    const uint8_t* data;
};

}  // namespace
}  // namespace ward::data::internal

#include "ward/data/internal/csv_scan_impl.h"

namespace ward::data::internal {

const ScanKernels kScanScalar = {summarise, index};

const ScanKernels& scan_kernels(Isa level) {
    switch (level) {
        case Isa::kAvx512:
            return kScanAvx512;
        case Isa::kAvx2:
            return kScanAvx2;
        case Isa::kScalar:
            break;
    }
    return kScanScalar;
}

}  // namespace ward::data::internal
