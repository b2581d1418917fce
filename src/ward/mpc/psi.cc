#include "ward/mpc/psi.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <unordered_set>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/core/random.h"
#include "ward/crypto/ristretto.h"
#include "ward/mpc/internal/psi_steps.h"

namespace ward::mpc {
namespace {

using crypto::RistrettoElement;

enum Tag : uint32_t { kAgree = 1, kCount, kBlinded, kTwice };

constexpr size_t kTagBytes = 16;  // of a double blinding: two sets of 2^28 collide with 2^-72
constexpr int64_t kGrain = 64;
using ShortTag = std::array<uint8_t, kTagBytes>;

struct ShortTagHash {
    size_t operator()(const ShortTag& tag) const {
        size_t out = 0;
        std::memcpy(&out, tag.data(), sizeof(out));  // uniform already
        return out;
    }
};

// Places change, so that positions tell the peer nothing about our rows.
std::vector<size_t> random_order(size_t count) {
    std::vector<size_t> order(count);
    std::iota(order.begin(), order.end(), size_t{0});
    Random random = Random::from_system();
    random.shuffle(std::span<size_t>(order));
    return order;
}

std::vector<RistrettoElement> blind(std::span<const std::string> identifiers,
                                    const std::vector<size_t>& order, const std::string& domain,
                                    const SecretBytes& scalar) {
    const std::string prefix = "ward psi|" + sha256_hex(domain) + "|";
    std::vector<RistrettoElement> out(order.size());
    parallel_for(0, static_cast<int64_t>(order.size()), kGrain, [&](int64_t first, int64_t last) {
        for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
            const std::string text = prefix + identifiers[order[i]];
            out[i] = crypto::ristretto_power(
                crypto::hash_to_ristretto(
                    {reinterpret_cast<const uint8_t*>(text.data()), text.size()}),
                scalar);
        }
    });
    return out;
}

std::vector<ShortTag> blind_again(const std::vector<RistrettoElement>& theirs,
                                  const SecretBytes& scalar) {
    std::vector<ShortTag> out(theirs.size());
    parallel_for(0, static_cast<int64_t>(theirs.size()), kGrain, [&](int64_t first, int64_t last) {
        for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
            const RistrettoElement twice = crypto::ristretto_power(theirs[i], scalar);
            std::copy_n(twice.begin(), kTagBytes, out[i].begin());
        }
    });
    return out;
}

template <typename Item>
ByteView bytes_of(const std::vector<Item>& items) {
    return {reinterpret_cast<const uint8_t*>(items.data()), items.size() * sizeof(Item)};
}
template <typename Item>
std::span<uint8_t> writable_bytes_of(std::vector<Item>& items) {
    return {reinterpret_cast<uint8_t*>(items.data()), items.size() * sizeof(Item)};
}

}  // namespace

PsiResult intersect(net::Channel& peer, std::span<const std::string> identifiers,
                    const PsiOptions& options) {
    internal::require_distinct(identifiers);
    const std::string text = "ward psi 1|" +
                             std::string(options.output == PsiOutput::kRows ? "rows|" : "size|") +
                             options.domain;
    internal::agree_on(peer, kAgree, text, text);
    PsiResult out;
    out.peer_rows =
        internal::exchange_counts(peer, kCount, identifiers.size(), options.max_peer_rows);
    const SecretBytes scalar = crypto::ristretto_random_scalar();
    const std::vector<size_t> order = random_order(identifiers.size());
    const std::vector<RistrettoElement> own = blind(identifiers, order, options.domain, scalar);
    std::vector<RistrettoElement> theirs(out.peer_rows);
    internal::swap_messages(peer, kBlinded, bytes_of(own), writable_bytes_of(theirs));
    std::vector<ShortTag> their_tags = blind_again(theirs, scalar);
    // In the peer's order it can tell its rows; sorted, it can only count.
    if (options.output == PsiOutput::kSize) std::sort(their_tags.begin(), their_tags.end());
    std::vector<ShortTag> own_tags(identifiers.size());
    internal::swap_messages(peer, kTwice, bytes_of(their_tags), writable_bytes_of(own_tags));
    const std::unordered_set<ShortTag, ShortTagHash> common(their_tags.begin(), their_tags.end());
    for (size_t i = 0; i < own_tags.size(); ++i) {
        if (!common.contains(own_tags[i])) continue;
        ++out.size;
        if (options.output == PsiOutput::kRows) out.rows.push_back(order[i]);
    }
    std::sort(out.rows.begin(), out.rows.end());
    return out;
}

}  // namespace ward::mpc
