#include "ward/crypto/internal/merkle.h"

#include <algorithm>
#include <bit>

#include "ward/core/digest.h"
#include "ward/crypto/internal/encoding.h"

namespace ward::crypto::internal {
namespace {
constexpr std::string_view kLeaf{"\0", 1};
constexpr std::string_view kNode{"\1", 1};
}  // namespace

MerkleHash hash_from_hex(std::string_view digits) {
    MerkleHash out{};
    const Bytes bytes = decode_hex(digits).value();
    std::copy_n(bytes.begin(), out.size(), out.begin());
    return out;
}

MerkleHash merkle_leaf(ByteView data) {
    return hash_from_hex(Sha256().update(kLeaf).update(data).hex());
}

MerkleHash merkle_root(std::span<const MerkleHash> leaves) {
    if (leaves.empty()) return hash_from_hex(sha256_hex(ByteView()));
    if (leaves.size() == 1) return leaves[0];
    const size_t left = std::bit_floor(leaves.size() - 1);
    return hash_from_hex(Sha256()
                             .update(kNode)
                             .update(merkle_root(leaves.first(left)))
                             .update(merkle_root(leaves.subspan(left)))
                             .hex());
}

}  // namespace ward::crypto::internal
