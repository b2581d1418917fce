#include "ward/mpc/internal/psi_steps.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include "ward/core/digest.h"
#include "ward/core/error.h"

namespace ward::mpc::internal {

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

void agree_on(net::Channel& peer, uint32_t tag, const std::string& own,
              const std::string& expected) {
    const auto digest = [](const std::string& text) {
        const std::string hex = sha256_hex(text);
        return Bytes(hex.begin(), hex.end());
    };
    const Bytes mine = digest(own);
    Bytes theirs(mine.size());
    swap_messages(peer, tag, mine, theirs);
    if (theirs == digest(expected)) return;
    throw Error(ErrorCode::kRefused,
                "\"" + peer.peer() + "\" wants another intersection (domain or output) than we do",
                "both owners must give the same domain and the same output");
}

size_t exchange_counts(net::Channel& peer, uint32_t tag, uint64_t own, size_t most) {
    Bytes out(sizeof(own)), in(sizeof(own));
    std::memcpy(out.data(), &own, sizeof(own));
    swap_messages(peer, tag, out, in);
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

}  // namespace ward::mpc::internal
