#include "ward/mpc/internal/join_keys.h"

#include <algorithm>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/share.h"
#include "ward/mpc/shuffle.h"
#include "ward/mpc/sort.h"

namespace ward::mpc::internal {
namespace {

// All of these are >= 0 if and only if the hashes (n x 1, n > 0) ascend and are in range: the n
// hashes, so that no difference wraps; the n - 1 steps less 1; the room above the last one.
SharedMatrix tests_of_order(const Party& party, const SharedMatrix& hashes) {
    const size_t n = hashes.rows;
    SharedMatrix steps(n, 1);
    const auto fill = [n](const RingVector& from, RingVector& to) {
        for (size_t i = 0; i + 1 < n; ++i) to[i] = from[i + 1] - from[i];
        to[n - 1] = 0 - from[n - 1];
    };
    fill(hashes.first, steps.first);
    fill(hashes.second, steps.second);
    RingMatrix offsets(n, 1);
    std::fill(offsets.values.begin(), offsets.values.end(), ~Ring{0});
    offsets.values[n - 1] = (Ring{1} << kHashBits) - 1;
    const SharedMatrix tables[] = {hashes, add(steps, share_public(party, offsets))};
    return stack_rows(tables);
}

bool ascends_in_range(Party& party, const SharedMatrix& hashes) {
    const SharedBits good = is_nonnegative(party, tests_of_order(party, hashes));
    return (open(party, all_of(party, good))[0] & 1) != 0;
}

}  // namespace

SharedBits is_zero(Party& party, const SharedMatrix& x) {
    const SharedBits low = is_nonnegative(party, x);
    const SharedBits high = is_nonnegative(party, negate(x));
    return bit_and(party, low, high);
}

SharedBits part_of_bits(const SharedBits& x, size_t begin, size_t count) {
    SharedBits out(count);
    const size_t word = begin / 64, shift = begin % 64;
    const auto cut = [&](const RingVector& from, RingVector& to) {
        for (size_t w = 0; w < to.size(); ++w) {
            to[w] = from[word + w] >> shift;
            if (shift != 0 && word + w + 1 < from.size()) {
                to[w] |= from[word + w + 1] << (64 - shift);
            }
        }
    };
    cut(x.first, out.first);
    cut(x.second, out.second);
    return out;
}

SharedBits all_of(Party& party, SharedBits bits) {
    while (bits.count > 1) {
        // The halves of an odd number overlap in a bit, which does no harm.
        const size_t half = bits.count - bits.count / 2;
        bits = bit_and(party, part_of_bits(bits, 0, half),
                       part_of_bits(bits, bits.count - half, half));
    }
    // Nothing but the one bit is to be opened with it.
    bits.first[0] &= 1;
    bits.second[0] &= 1;
    return bits;
}

SharedBits runs_of_ones(Party& party, const SharedBits& x, size_t run) {
    SharedBits out = x;
    for (size_t done = 1; done < run;) {
        const size_t more = std::min(done, run - done), left = out.count - more;
        out = bit_and(party, part_of_bits(out, 0, left), part_of_bits(out, more, left));
        done += more;
    }
    return out;
}

void require_own_hashes(Party& party, std::span<const SharedMatrix> tables,
                        std::span<const std::string> owners) {
    const net::TrafficLedger::Scope scope(party.ledger(), "keys");
    for (size_t t = 0; t < tables.size(); ++t) {
        if (tables[t].rows == 0) continue;
        const SharedMatrix hashes = select_columns(tables[t], 0, 1);
        if (ascends_in_range(party, hashes)) continue;
        if (ascends_in_range(party, sort_distinct_rows(party, hashes, 0))) continue;
        throw Error(ErrorCode::kInvalid,
                    (t < owners.size() ? "the table of " + owners[t]
                                       : "table " + std::to_string(t) + " of a join") +
                        " has a hash of an identifier twice or out of range",
                    "its owner must share it anew, with an identifier of its own in every row");
    }
}

}  // namespace ward::mpc::internal
