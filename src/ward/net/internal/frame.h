// The 16 bytes before every message; see docs/formats/mpc_frames.md.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "ward/core/bytes.h"

namespace ward::net::internal {

enum class FrameKind : uint8_t { kData = 1, kFailure = 2 };

struct FrameHeader {
    FrameKind kind = FrameKind::kData;
    uint32_t sequence = 0;
    uint32_t tag = 0;
    uint32_t length = 0;
};

std::array<uint8_t, 16> encode_frame_header(const FrameHeader& header);
// Throws Error kCorrupt for another magic, version or kind.
FrameHeader decode_frame_header(std::span<const uint8_t, 16> bytes);

}  // namespace ward::net::internal
