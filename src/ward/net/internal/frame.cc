#include "ward/net/internal/frame.h"

#include <string>

#include "ward/core/error.h"

namespace ward::net::internal {
namespace {

constexpr uint8_t kMagic0 = 'W';
constexpr uint8_t kMagic1 = 'N';
constexpr uint8_t kVersion = 1;

void put_u32(uint8_t* out, uint32_t value) {
    for (int i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(value >> (8 * i));
}

uint32_t get_u32(const uint8_t* in) {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value |= uint32_t{in[i]} << (8 * i);
    return value;
}

}  // namespace

std::array<uint8_t, 16> encode_frame_header(const FrameHeader& header) {
    std::array<uint8_t, 16> out{kMagic0, kMagic1, kVersion, static_cast<uint8_t>(header.kind)};
    put_u32(&out[4], header.sequence);
    put_u32(&out[8], header.tag);
    put_u32(&out[12], header.length);
    return out;
}

FrameHeader decode_frame_header(std::span<const uint8_t, 16> bytes) {
    if (bytes[0] != kMagic0 || bytes[1] != kMagic1) {
        throw Error(ErrorCode::kCorrupt, "no frame where one must begin");
    }
    if (bytes[2] != kVersion) {
        throw Error(ErrorCode::kUnsupported,
                    "frame of version " + std::to_string(bytes[2]) + ", expected 1",
                    "all parties must run the same version of ward");
    }
    if (bytes[3] != 1 && bytes[3] != 2) {
        throw Error(ErrorCode::kCorrupt,
                    "frame of kind " + std::to_string(bytes[3]) + ", expected 1 or 2");
    }
    return {static_cast<FrameKind>(bytes[3]), get_u32(&bytes[4]), get_u32(&bytes[8]),
            get_u32(&bytes[12])};
}

}  // namespace ward::net::internal
