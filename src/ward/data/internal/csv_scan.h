// The SIMD passes of the CSV reader, one table of functions per instruction set.
//
// All variants agree bit for bit (csv_scan_test.cc). Reads stay inside [data, data + size).
#pragma once

#include <cstddef>
#include <cstdint>

#include "ward/core/cpu.h"

namespace ward::data::internal {

inline constexpr size_t kNowhere = static_cast<size_t>(-1);

// What a stretch of bytes looks like, for both answers to "does it begin inside quotes?".
struct StretchSummary {
    size_t quotes = 0;
    size_t newlines = 0;
    // First and last newline outside quotes when the stretch begins outside [0] or inside [1].
    size_t first_boundary[2] = {kNowhere, kNowhere};
    size_t last_boundary[2] = {kNowhere, kNowhere};
};

struct ScanState {
    uint64_t inside_quotes = 0;  // all ones when the previous byte was inside quotes
    bool any_quote = false;
};

struct ScanKernels {
    StretchSummary (*summarise)(const uint8_t* data, size_t size);
    // Writes the positions (plus `base`) of delimiters and newlines outside quotes; returns how
    // many. `out` has room for size + 8 entries; what lies behind the result may be overwritten.
    size_t (*index)(const uint8_t* data, size_t size, uint32_t base, uint8_t delimiter,
                    ScanState* state, uint32_t* out);
};

extern const ScanKernels kScanScalar;
extern const ScanKernels kScanAvx2;
extern const ScanKernels kScanAvx512;

// The variant for `level`.
const ScanKernels& scan_kernels(Isa level = isa());

}  // namespace ward::data::internal
