// Sorting of shared rows by a shared column.
//
// The rows are shuffled (shuffle.h), then sorted by comparisons whose outcomes are opened (Hamada,
// Kikuchi, Ikarashi, Chida, Takahashi, ICISC 2012). When all keys differ, the outcomes are the
// order of a uniform permutation: they are simulated by sorting random rows and tell nothing.
// `sort_rows` makes keys different by their row numbers, which also makes it stable.
//
// Comparisons: about n log2 n + 4 n. Pivots come from a sample that is sorted first, so nearly
// every comparison halves what it must; all segments of a level go together. Rounds: 7 per
// level, about 1.3 log2 n + 12 levels, more when the tables are larger than a batch of 2^19.
//
// Security: as shuffle.h and bits.h; with Security::kMalicious all is verified before each level of
// comparisons is opened. Thread safety: as Party.
#pragma once

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// The rows of x by ascending `key_column`, equal keys in the order they had. Keys must be signed
// integers (or fixed-point numbers) of `key_bits` bits, -2^(key_bits-1) <= key < 2^(key_bits-1).
// Throws Error kUsage unless key_bits + log2(rows) + 1 <= 64, or for a missing column.
SharedMatrix sort_rows(Party& party, const SharedMatrix& x, size_t key_column, int key_bits);

// The same for keys that the caller knows to be different, with |key| < 2^62: nothing is appended.
// Keys that are equal, or whose differences wrap, show in the order of comparisons, and with them
// how many other keys lie between: check keys of owners who may cheat before (join.cc does).
SharedMatrix sort_distinct_rows(Party& party, const SharedMatrix& x, size_t key_column,
                                int key_bits = 63);

// Rows whose bit is 1 first, others behind, both in their order; nobody learns how many there are.
// 2 + 1 + 3 + 1 rounds.
SharedMatrix partition_rows(Party& party, const SharedMatrix& x, const SharedBits& bits);

// Row i of x at place places[i] (rows x 1, shared). The shuffled places are opened, which tells
// nothing when they are 0, ..., rows - 1 in some order. Throws Error kInvalid when they are not.
// 3 + 1 rounds.
SharedMatrix rows_at_places(Party& party, const SharedMatrix& places, const SharedMatrix& x);

}  // namespace ward::mpc
