// Protocols for Security::kMalicious whose messages all go to the verifier.
#pragma once

#include <span>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

// The protocol of `to_ring` (bits.h), recorded. 2 rounds, 8 bytes per value and party, and 8 more
// when it is verified.
SharedMatrix verified_to_ring(Party& party, const SharedBits& bits, size_t rows, size_t cols);

// The protocol of `select_sum` (bits.h), recorded. 2 rounds; 5.3 bytes per term and 5.3 per value
// and party, and as many again when it is verified.
SharedMatrix verified_select_sum(Party& party, std::span<const SharedBits> bits,
                                 std::span<const SharedMatrix> terms);

// See truncate.h. 3 rounds, 10.7 bytes per value and party (and as many again for shifts above 20
// when it is verified).
SharedMatrix verified_truncate(Party& party, const SharedMatrix& x, int shift);

}  // namespace ward::mpc::internal
