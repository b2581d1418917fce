// Any bytes as the frame and as the decrypted index of a sealed container: refused with
// ward::Error, or ranges that fill the data. The first 8 bytes are the length of the data that the
// index is for.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "ward/core/error.h"
#include "ward/crypto/internal/age_payload.h"
#include "ward/crypto/internal/sealed_index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ward::crypto;
    try {
        const auto frame = internal::parse_sealed_frame(MemorySource(ward::ByteView(data, size)));
        if (frame.data_bytes + frame.index_bytes + 80 != size) std::abort();
    } catch (const ward::Error&) {
    }
    if (size < 8) return 0;
    internal::SealedFrame frame;
    std::memcpy(&frame.data_bytes, data, 8);
    try {
        const auto index = internal::parse_sealed_index({data + 8, size - 8}, frame);
        uint64_t position = internal::kSealedHeadBytes;
        for (const SealedEntry& entry : index.entries) {
            if (entry.offset != position) std::abort();
            position += internal::sealed_stream_bytes(entry.size_bytes);
        }
        if (position != internal::kSealedHeadBytes + frame.data_bytes) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
