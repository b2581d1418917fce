// Alignment of records on shares: rows of several owners that belong to the same person are brought
// together, and nobody learns who is common, not even how many unless it is opened.
//
//   // owner 0:  rows of hash_identifiers(ids) beside encode(features), in the order rows_by_hash
//   SharedMatrix a = share(party, 0, ..., n, 2 + features), b = share(party, 1, ...);
//   SharedMatrix tables[] = {a, b};
//   Joined joined = inner_join(party, tables);         // vertical: columns of a, then of b
//   SharedMatrix rows = open_count_and_keep(party, joined);     // tells all the number of matches
//   SharedMatrix rows = keep_at_most(party, joined, cap);       // tells nobody
//
// Tables have the two hashes of an identifier in columns 0 and 1 and payload behind. All rows are
// sorted by hash and table (sort.h); a person of all T tables shows as T neighbours of which each
// has both hashes of the next. Identifiers that differ collide in the first hash (58 bits) with
// probability n^2 2^-59, which could hide a match, or in one table refuse it; a false match needs
// equal hashes of 121 bits. The hashes never leave the shares, so short identifiers (numbers of
// accounts) cannot be tried out by anyone.
//
// Owners that cheat: one can share hashes of its choice, so it is checked on shares that no hash
// stands in its table twice (its rows would match one another, and fill the others' columns of
// joined rows) or is out of range (differences would wrap). One bit per table is opened (two, if it
// is not in the order of its hashes), before the rows of several owners are compared, and a table
// that fails is refused with Error kInvalid. Rows that fail could be dropped instead, which opens
// nothing; but the order of rows, which is opened, would tell of repeated hashes how many rows of
// other owners lie between them, and so whether a given person is there. What is opened depends on
// one table alone and passes for every honest owner. What remains is that an owner can share
// identifiers of people who are not its customers.
//
// For owners with the same columns (horizontal), `stack_rows` of shuffle.h joins tables, and
// `distinct_rows` here leaves one row per person.
//
// Cost for N rows in all and p payload columns of the widest table: 2 N comparisons to check the
// hashes, shuffle of p + 2 columns, about N (log2 N + 4) comparisons, 3 N more, and a second
// shuffle by the function that keeps rows. A table that is not in the order of its hashes is sorted
// for the check, which makes the whole about 1.5 times as long; that it is not is told to the
// parties.
//
// Security: one corrupt party, verified with Security::kMalicious as sort.h and shuffle.h are, and
// any owners; the number of rows and columns of each table is public. Thread safety: as Party.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

inline constexpr size_t kKeyColumns = 2;
inline constexpr size_t kMaxJoinTables = 16;

// rows x 2: hashes of 58 and 63 bits (SHA-256 of domain, length and identifier). `domain` must be
// equal at all owners. Throws Error kInvalid for an identifier that is empty or stands twice; the
// message names rows (from 0) and `what`.
RingMatrix hash_identifiers(std::span<const std::string> identifiers, std::string_view domain,
                            std::string_view what);

// The order of rows by ascending first hash: tables that are shared in it join faster. For joins
// alone, after which nobody knows which row is whose: beside results that keep the order of rows it
// would tell whoever knows the identifiers which row is whose.
std::vector<size_t> rows_by_hash(const RingMatrix& keys);

struct Joined {
    SharedMatrix rows;   // payload; meaningless where `matched` is 0
    SharedBits matched;  // one per row
};

// Rows that are in every one of 2 to 16 tables: payload columns of table 0, then of table 1, ...
// Throws Error kUsage for another number of tables or for tables without the key columns, kInvalid
// for a table whose first hashes repeat or are out of range; it is called by its name in `owners`,
// where they are given, else by its number.
Joined inner_join(Party& party, std::span<const SharedMatrix> tables,
                  std::span<const std::string> owners = {});

// One row per identifier from tables with the same columns: that of the first table that has it.
// Throws as inner_join.
Joined distinct_rows(Party& party, std::span<const SharedMatrix> tables,
                     std::span<const std::string> owners = {});

// The matched rows in random order. All learn their number, nobody which ones they are.
SharedMatrix open_count_and_keep(Party& party, const Joined& joined);

// `rows` rows, the matched ones first, as many as fit, and a last column that is 1 (an integer)
// for matched rows and 0 for those that fill up, whose values are 0.
SharedMatrix keep_at_most(Party& party, const Joined& joined, size_t rows);

}  // namespace ward::mpc
