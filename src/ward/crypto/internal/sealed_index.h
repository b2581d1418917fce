// The index of a sealed container as bytes, and the fixed frame around the container
// (docs/formats/sealed_container.md). Parsing is separate from files and keys for the fuzzer's
// sake.
#pragma once

#include <string_view>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/crypto/internal/merkle.h"
#include "ward/crypto/sealed_container.h"

namespace ward::crypto::internal {

inline constexpr std::string_view kSealedMagic{"ward-sealed-1\n\0\0", 16};
inline constexpr size_t kSealedHeadBytes = 16;
inline constexpr size_t kSealedTailBytes = 64;

struct SealedFrame {
    uint64_t data_bytes = 0;
    uint64_t index_bytes = 0;
    MerkleHash root{};
};

Bytes sealed_head();
Bytes sealed_tail(const SealedFrame& frame);
// Throws Error kCorrupt or kUnsupported; the parts fill the file exactly.
SealedFrame parse_sealed_frame(const ByteSource& file);

struct SealedIndex {
    SecretBytes key;
    Bytes header;
    std::vector<SealedEntry> entries;
};
SecretBytes write_sealed_index(const SealedIndex& index);
// Throws Error kCorrupt unless the entries fill the data of the frame and have its root.
SealedIndex parse_sealed_index(ByteView bytes, const SealedFrame& frame);

}  // namespace ward::crypto::internal
