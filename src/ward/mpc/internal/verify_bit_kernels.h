// The two passes over all shared bits in their proof (verify_bits.h), in GF(2^64) (gf64.h).
//
// Words lie in `pieces` rows of `length` words each, one row behind the other. A word is also the
// field element sum over b of bit_b t^b.
//
// By VPCLMULQDQ and masked additions where the processor has them; portable code gives the same
// results. No branch and no index depends on a share. Thread safety: free functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ward::mpc::internal {

// Pieces come in multiples of kBitPieceStep, lengths in multiples of kBitLengthStep.
inline constexpr size_t kBitPieceStep = 4;
inline constexpr size_t kBitLengthStep = 8;

// Two products of words that stand side by side: u_a v_a + u_b v_b, bit by bit.
struct BitFactors {
    const uint64_t *u_a, *u_b, *v_a, *v_b;
};

// table[j pieces + k] = sum over i of factors_j[i] times the element of u_j[i] v_k[i].
void bit_table(const uint64_t* factors, const BitFactors& words, size_t pieces, size_t length,
               uint64_t* table);

// by_word[64 i + b] = t^b sum over j of word_factors_j[i] (bit b of words_j[i]) and
// by_piece[64 i + b] = sum over j of piece_factors[j] (bit b of words_j[i]).
struct BitFold {
    const uint64_t* word_factors;
    const uint64_t* piece_factors;
    uint64_t *by_word, *by_piece;
};
void bit_fold(const uint64_t* words, const BitFold& fold, size_t pieces, size_t length);

// The portable variants, for tests.
void bit_table_portable(const uint64_t* factors, const BitFactors& words, size_t pieces,
                        size_t length, uint64_t* table);
void bit_fold_portable(const uint64_t* words, const BitFold& fold, size_t pieces, size_t length);

}  // namespace ward::mpc::internal
