// The Merkle tree hash of RFC 6962, section 2.1, with SHA-256.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "ward/core/bytes.h"

namespace ward::crypto::internal {

using MerkleHash = std::array<uint8_t, 32>;

MerkleHash merkle_leaf(ByteView data);
MerkleHash merkle_root(std::span<const MerkleHash> leaves);
MerkleHash hash_from_hex(std::string_view digits);  // 64 of them

}  // namespace ward::crypto::internal
