// Steps that both intersections of two owners (psi.h, psi_fast.h) begin with. Thread safety: free
// functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ward/net/channel.h"

namespace ward::mpc::internal {

// Sends and receives at once, whichever of both is longer.
void swap_messages(net::Channel& peer, uint32_t tag, ByteView own, std::span<uint8_t> theirs);

// Throws Error kRefused unless the peer says what is expected of it.
void agree_on(net::Channel& peer, uint32_t tag, const std::string& own,
              const std::string& expected);

// The peer's number. Throws Error kRefused for more than `most`.
size_t exchange_counts(net::Channel& peer, uint32_t tag, uint64_t own, size_t most);

// Throws Error kInvalid for an identifier that is empty or stands twice.
void require_distinct(std::span<const std::string> identifiers);

}  // namespace ward::mpc::internal
