// Products of shared bits, many in one message, and circuits of them that several protocols use.
// Security: semi-honest, or verified with Security::kMalicious. Thread safety: as Party.
#pragma once

#include <cstddef>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

// Words of bits, shared; the planes of several vectors lie behind one another.
struct Planes {
    RingVector first;
    RingVector second;
};

// 1 round, one bit per bit and party.
Planes and_planes(Party& party, const Planes& x, const Planes& y);

void append(Planes& to, const Planes& from);
// All bits turned, without communication.
void flip(const Party& party, Planes& x);
// The words from `begin` on.
Planes part_of(const Planes& from, size_t begin, size_t count);
// The first `count` words of `to` from `to_at` on get exclusive-or those of `from`.
void add_words(const Planes& from, size_t from_at, size_t count, Planes& to, size_t to_at);

// Generate and propagate of groups of bits (generate of all, then propagate of all but the lowest,
// each `words` words) down to the generate of all. log2(groups) rounds.
Planes carry_tree(Party& party, Planes planes, size_t groups, size_t words);

}  // namespace ward::mpc::internal
