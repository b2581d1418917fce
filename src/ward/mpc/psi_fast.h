// Private set intersection of two owners over one channel, many times faster than psi.h and with
// more bytes: an oblivious pseudo-random function from OT extension on a cuckoo table (Kolesnikov,
// Kumaresan, Rosulek, Trieu, CCS 2016).
//
// The second owner puts its identifiers into bins by cuckoo hashing with three functions. 512 base
// transfers in ristretto255 and one extension give it F_i(x) for the one x in each bin i; the first
// owner can compute F_i of anything, and sends its values for the three bins of each of its own.
// About 64 bytes per bin (1.3 bins per row) one way and 36 per row the other.
//
// What an owner learns: which of its own identifiers the other has, and the size of the other's
// set. Identifiers that only one has stay hidden under decisional Diffie-Hellman and SHA-256 as a
// random oracle, however short they are. A count alone (PsiOutput::kSize) is not to be had here,
// because the second owner sees which values are equal; psi.h gives it.
//
// Security: semi-honest owners. One that deviates can put identifiers into its set that it does not
// have, or hand out wrong answers; a second owner that deviates in the base transfers or in the
// extension may learn more than its set allows, which psi.h does not permit: take that one among
// owners who do not trust each other to run the program as it is. Not constant-time: places of the
// cuckoo table follow from the own identifiers. Thread safety: as Channel.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ward/mpc/psi.h"

namespace ward::mpc {

// One owner is the first, the other the second, which may be agreed upon beforehand: it changes the
// load (the second one sends most), not the result.
enum class PsiRole { kFirst, kSecond };

// Errors as `intersect` of psi.h; also Error kUsage for PsiOutput::kSize, and kRefused when both
// want the same role.
PsiResult intersect_fast(net::Channel& peer, PsiRole role, std::span<const std::string> identifiers,
                         const PsiOptions& options);

namespace internal {

// Uniform hashes, one of the 32-byte ones for each identifier.
using ItemHash = std::array<uint64_t, 4>;
inline constexpr size_t kPlaces = 3;

inline constexpr uint32_t kEmptyBin = ~uint32_t{0};
size_t cuckoo_bins(size_t items);
// Bin of an item under each of the functions.
std::array<uint32_t, kPlaces> places_of(const ItemHash& item, size_t bins);
// The item in each bin, or kEmptyBin; nothing when it cannot be done within the limit of moves.
std::vector<uint32_t> cuckoo_table(const std::vector<ItemHash>& items, size_t bins);

}  // namespace internal
}  // namespace ward::mpc
