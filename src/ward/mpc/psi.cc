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

// Sends and receives at once, whichever of both is longer.
void swap_messages(net::Channel& peer, uint32_t tag, ByteView own, std::span<uint8_t> theirs) {
    size_t sent = 0, received = 0;
    constexpr size_t kPiece = size_t{1} << 20;
    while (sent < own.size() || received < theirs.size()) {
        const size_t out = std::min(kPiece, own.size() - sent);
        const size_t in = std::min(kPiece, theirs.size() - received);
        if (out > 0) peer.begin_send(tag, own.subspan(sent, out));
        if (in > 0) peer.receive(tag, theirs.subspan(received, in));
        if (out > 0) peer.finish_sends();
        sent += out;
        received += in;
    }
}

void agree(net::Channel& peer, const PsiOptions& options) {
    const std::string text = sha256_hex(
        "ward psi 1|" + std::string(options.output == PsiOutput::kRows ? "rows|" : "size|") +
        options.domain);
    const Bytes own(text.begin(), text.end());
    Bytes theirs(own.size());
    swap_messages(peer, kAgree, own, theirs);
    if (own == theirs) return;
    throw Error(ErrorCode::kRefused,
                "\"" + peer.peer() + "\" wants another intersection (domain or output) than we do",
                "both owners must give the same domain and the same output");
}

size_t exchange_counts(net::Channel& peer, uint64_t own, size_t most) {
    Bytes out(sizeof(own)), in(sizeof(own));
    std::memcpy(out.data(), &own, sizeof(own));
    swap_messages(peer, kCount, out, in);
    uint64_t theirs = 0;
    std::memcpy(&theirs, in.data(), sizeof(theirs));
    if (theirs > most) {
        throw Error(ErrorCode::kRefused, "\"" + peer.peer() + "\" has " + std::to_string(theirs) +
                                             " identifiers, expected at most " +
                                             std::to_string(most));
    }
    return theirs;
}

void require_distinct(std::span<const std::string> identifiers) {
    std::unordered_set<std::string_view> seen;
    seen.reserve(identifiers.size());
    for (size_t i = 0; i < identifiers.size(); ++i) {
        if (!identifiers[i].empty() && seen.insert(identifiers[i]).second) continue;
        throw Error(ErrorCode::kInvalid,
                    "the identifier of row " + std::to_string(i) +
                        (identifiers[i].empty() ? " is empty" : " stands in an earlier row"),
                    "every row needs an identifier of its own");
    }
}

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
    require_distinct(identifiers);
    agree(peer, options);
    PsiResult out;
    out.peer_rows = exchange_counts(peer, identifiers.size(), options.max_peer_rows);
    const SecretBytes scalar = crypto::ristretto_random_scalar();
    const std::vector<size_t> order = random_order(identifiers.size());
    const std::vector<RistrettoElement> own = blind(identifiers, order, options.domain, scalar);
    std::vector<RistrettoElement> theirs(out.peer_rows);
    swap_messages(peer, kBlinded, bytes_of(own), writable_bytes_of(theirs));
    std::vector<ShortTag> their_tags = blind_again(theirs, scalar);
    // In the peer's order it can tell its rows; sorted, it can only count.
    if (options.output == PsiOutput::kSize) std::sort(their_tags.begin(), their_tags.end());
    std::vector<ShortTag> own_tags(identifiers.size());
    swap_messages(peer, kTwice, bytes_of(their_tags), writable_bytes_of(own_tags));
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
