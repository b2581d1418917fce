// Into the shared world and out of it.
#pragma once

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// Party `owner` shares a matrix that it alone knows; the others pass nullptr. 1 round, 8 bytes per
// value from the owner to the next party. Throws Error kUsage when the owner's shape is another.
SharedMatrix share(Party& party, int owner, const RingMatrix* values, size_t rows, size_t cols);

// A matrix that all know, as shares; nothing is sent.
SharedMatrix share_public(const Party& party, const RingMatrix& values);

// `open` and `open_to` first verify all that is pending with Security::kMalicious, and then compare
// a digest of each missing part with the second party that has it.

// Everyone learns the values. 1 round, 8 bytes per value and party.
RingMatrix open(Party& party, const SharedMatrix& x);

// Only `receiver` learns the values; the others get an empty matrix. 1 round, 8 bytes per value
// from one party.
RingMatrix open_to(Party& party, int receiver, const SharedMatrix& x);

// Bit i of the result is in word i / 64. 1 round, 1 bit per value and party.
RingVector open(Party& party, const SharedBits& x);

// The three parts of a matrix, made by someone who is no party (a data owner): give part i to party
// i, over a channel of its own.
std::array<SharedMatrix, 3> split(const RingMatrix& values, Random& random);

}  // namespace ward::mpc
