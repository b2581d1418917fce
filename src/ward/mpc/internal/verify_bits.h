// The proof that sums of products of bits are right: sum over bits of u v = a + b, word by word.
//
// Not constant-time: tables are indexed by bytes of this party's own shares, so a program that
// watches this machine's cache may learn something about those. Thread safety: free functions.
#pragma once

#include "ward/mpc/internal/sessions.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

// Words of the three sessions. Words 2 i and 2 i + 1 of u and v belong to relation i, whose claims
// are word i of a and b.
struct BitProducts {
    const RingVector& u;  // as the prover
    const RingVector& v;
    const RingVector& left_u;  // as the left verifier, with a
    const RingVector& left_claim;
    const RingVector& right_v;  // as the right verifier, with b
    const RingVector& right_claim;
};

// Bit j of byte b of relation i gets the factor r_i q_b s_j in GF(2^64), random each. The first
// fold goes over the 8 bits of a byte, by tables. Throws Error kCorrupt when a relation does not
// hold at all bits.
void check_bit_products(Sessions& sessions, const BitProducts& bits);

}  // namespace ward::mpc::internal
