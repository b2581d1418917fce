// Comparisons for Security::kMalicious, all of whose messages go to the verifier: the three parts
// of a number are shared bits as they are, because two parties know each; a row of full adders
// makes two numbers of them.
#pragma once

#include <span>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

// The protocol of `is_negative` (bits.h). 3.25 bits per bit of x and party; 3 + log2(bits) rounds.
SharedBits verified_sign(Party& party, const SharedMatrix& x, size_t bits);

// The protocol of `at_least` (bits.h): x is cut into bits once, with 1 + log2(bits) / 2 products
// per bit, and compared with the ends by products of bits: one per end and four bits, which ends
// with the same digits have in common. 5 + 2 log2(bits) rounds.
SharedBits verified_at_least(Party& party, const SharedMatrix& x, std::span<const Ring> ends,
                             size_t bits);

}  // namespace ward::mpc::internal
