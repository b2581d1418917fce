// Private set intersection of two owners over one channel, by Diffie-Hellman (Meadows, S&P 1986;
// Huberman, Franklin, Hogg, EC 1999) in ristretto255.
//
// Each owner blinds the hashes of its identifiers by a secret exponent; each blinds the other's
// once more; equal double blindings are equal identifiers. Few bytes (48 per identifier and
// direction), much arithmetic (2 n exponentiations of 50 to 70 us and n hashes per owner and n
// identifiers of each; all cores help). When the intersection itself must stay hidden, use join.h.
//
// What an owner learns: the size of the other's set and, with kRows, which of its own identifiers
// the other has; with kSize only how many. Identifiers that the other does not have stay hidden
// under decisional Diffie-Hellman, however short they are.
//
// Security: semi-honest owners. One that deviates can put identifiers into its set that it does not
// have, or hand out wrong answers; it cannot learn more than about the set it puts in.
// Thread safety: as Channel.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ward/net/channel.h"

namespace ward::mpc {

enum class PsiOutput { kRows, kSize };

struct PsiOptions {
    std::string domain;  // equal at both, such as the digest of a job
    PsiOutput output = PsiOutput::kRows;
    size_t max_peer_rows = size_t{1} << 28;
};

struct PsiResult {
    std::vector<size_t> rows;  // own rows that the peer has too, ascending; kRows only
    size_t size = 0;
    size_t peer_rows = 0;  // identifiers of the peer
};

// Both owners call it, each with its own identifiers. Throws Error kInvalid for an identifier that
// is empty or stands twice, kRefused when the peers disagree on domain or output, kCorrupt for what
// is no group element, and the errors of the channel.
PsiResult intersect(net::Channel& peer, std::span<const std::string> identifiers,
                    const PsiOptions& options);

}  // namespace ward::mpc
