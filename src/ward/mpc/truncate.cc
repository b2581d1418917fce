#include "ward/mpc/truncate.h"

#include <cstring>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/verified.h"

namespace ward::mpc {
namespace {

using internal::Roles;

// Added to x, which makes it non-negative; the 1 less turns the dither into one that leaves
// multiples of 2^shift as they are (the result gets 1 back).
constexpr Ring kOffset = (Ring{1} << 62) - 1;

// Elements of Z_2^16, Z_2^32 or Z_2^64: the corrections only matter modulo 2^shift.
template <typename Small>
std::vector<Small> draw_small(Party& party, int share, size_t count) {
    const size_t per_word = sizeof(Ring) / sizeof(Small);
    const RingVector words = party.draw(share, (count + per_word - 1) / per_word);
    std::vector<Small> out(count);
    std::memcpy(out.data(), words.data(), count * sizeof(Small));
    return out;
}

// Appends the small values to 8-byte ones, so that both travel in one message.
template <typename Small>
Bytes pack(const RingVector& words, const std::vector<Small>& small) {
    Bytes out(words.size() * sizeof(Ring) + small.size() * sizeof(Small));
    std::memcpy(out.data(), words.data(), words.size() * sizeof(Ring));
    std::memcpy(out.data() + words.size() * sizeof(Ring), small.data(),
                small.size() * sizeof(Small));
    return out;
}

// The pivot divides a and deals the result with the complement of its top bit.
template <typename Small>
void pivot_truncates(Party& party, const Roles& roles, const RingVector& a, int shift,
                     RingVector& first, RingVector& second) {
    const size_t n = a.size();
    const Ring constant = (Ring{1} << (64 - shift)) + (Ring{1} << (62 - shift)) - 1;
    second = party.draw(roles.one, n);
    std::vector<Small> top_one = draw_small<Small>(party, roles.one, n);
    std::vector<Small> top_two(n);
    first.resize(n);
    for (size_t i = 0; i < n; ++i) {
        const Ring shifted = a[i] + kOffset;
        first[i] = (shifted >> shift) - constant - second[i];
        top_two[i] = static_cast<Small>(1 - (shifted >> 63) - top_one[i]);
    }
    const Bytes message = pack(first, top_two);
    Party::Round round(party);
    round.send(roles.two, message);
    round.finish();
    const std::vector<Small> mask_pivot = draw_small<Small>(party, roles.pivot, n);
    const std::vector<Small> mask_one = draw_small<Small>(party, roles.one, n);
    for (size_t i = 0; i < n; ++i) {
        first[i] += Ring{mask_pivot[i]} << (64 - shift);
        second[i] += Ring{mask_one[i]} << (64 - shift);
    }
    Party::Round(party).finish();
}

// Roles 1 and 2 divide b and compute the product of the two top bits' complements.
template <typename Small>
void others_truncate(Party& party, const Roles& roles, const RingVector& b, int shift,
                     RingVector& first, RingVector& second) {
    const size_t n = b.size();
    const bool is_one = roles.role == 1;
    RingVector share(n);
    std::vector<Small> top(n);
    Party::Round deal(party);
    if (is_one) {
        share = party.draw(roles.one, n);
        top = draw_small<Small>(party, roles.one, n);
    } else {
        Bytes message(n * (sizeof(Ring) + sizeof(Small)));
        deal.receive(roles.pivot, message);
        std::memcpy(share.data(), message.data(), n * sizeof(Ring));
        std::memcpy(top.data(), message.data() + n * sizeof(Ring), n * sizeof(Small));
    }
    deal.finish();
    const std::vector<Small> mask = draw_small<Small>(party, is_one ? roles.one : roles.pivot, n);
    std::vector<Small> own(n), theirs(n);
    for (size_t i = 0; i < n; ++i) {
        own[i] = static_cast<Small>(top[i] * (1 - static_cast<Small>(b[i] >> 63)) - mask[i]);
    }
    const int other = is_one ? roles.two : roles.one;
    Party::Round join(party);
    join.send(other, own);
    join.receive(other, theirs);
    RingVector common(n);
    for (size_t i = 0; i < n; ++i) {
        const Ring product = static_cast<Small>(own[i] + theirs[i]);
        common[i] = (b[i] >> shift) + (product << (64 - shift));
        share[i] += Ring{mask[i]} << (64 - shift);
    }
    join.finish();
    first = is_one ? std::move(share) : common;
    second = is_one ? std::move(common) : std::move(share);
}

Ring shift_signed(Ring value, int shift) {
    return static_cast<Ring>(static_cast<int64_t>(value) >> shift);
}

void truncate_fast(Party& party, const Roles& roles, RingVector known, int shift, RingVector& first,
                   RingVector& second) {
    const Ring one = roles.role == 0 ? 1 : 0;
    for (Ring& value : known) value = shift_signed(value - one, shift) + one;
    const RingVector dealt = internal::deal<internal::Add>(party, roles, known, known.size());
    if (roles.role == 0) {
        first.resize(known.size());
        for (size_t i = 0; i < known.size(); ++i) first[i] = known[i] - dealt[i];
        second = dealt;
    } else {
        first = roles.role == 1 ? dealt : known;
        second = roles.role == 1 ? known : dealt;
    }
}

template <typename Small>
void truncate_exact(Party& party, const Roles& roles, const RingVector& known, int shift,
                    RingVector& first, RingVector& second) {
    if (roles.role == 0) {
        pivot_truncates<Small>(party, roles, known, shift, first, second);
    } else {
        others_truncate<Small>(party, roles, known, shift, first, second);
    }
}

void require_shift(int shift, int largest) {
    if (shift >= 1 && shift <= largest) return;
    throw Error(ErrorCode::kUsage, "a truncation must be by 1 to " + std::to_string(largest) +
                                       " bits, got " + std::to_string(shift));
}

// `known` is a at the pivot and b at the others.
void truncate_known(Party& party, const Roles& roles, const RingVector& known, int shift,
                    RingVector& first, RingVector& second) {
    require_shift(shift, 62);
    if (party.truncation() == Truncation::kFast) {
        truncate_fast(party, roles, known, shift, first, second);
    } else if (shift <= 16) {
        truncate_exact<uint16_t>(party, roles, known, shift, first, second);
    } else if (shift <= 32) {
        truncate_exact<uint32_t>(party, roles, known, shift, first, second);
    } else {
        truncate_exact<uint64_t>(party, roles, known, shift, first, second);
    }
}

}  // namespace

SharedMatrix truncate(Party& party, const SharedMatrix& x, int shift) {
    const net::TrafficLedger::Scope scope(party.ledger(), "truncate");
    if (party.verifier() != nullptr) {
        require_shift(shift, 60);
        return internal::verified_truncate(party, x, shift);
    }
    const Roles roles(party, party.next_pivot());
    SharedMatrix out;
    out.rows = x.rows;
    out.cols = x.cols;
    truncate_known(party, roles, internal::known_part(roles, x.first, x.second), shift, out.first,
                   out.second);
    return out;
}

namespace internal {

void truncate_product(Party& party, const RingVector& part, int shift, RingVector& first,
                      RingVector& second) {
    const Roles roles(party, party.next_pivot());
    const size_t n = part.size();
    RingVector known(n), message(n), other(n);
    Party::Round round(party);
    if (roles.role == 0) {
        round.receive(roles.one, known);
        round.receive(roles.two, other);
        for (size_t i = 0; i < n; ++i) known[i] += other[i] + part[i];
    } else {
        party.draw(roles.two, std::span<Ring>(known));  // b
        party.draw(roles.two, std::span<Ring>(other));
        const bool is_one = roles.role == 1;
        for (size_t i = 0; i < n; ++i) {
            message[i] = is_one ? part[i] + other[i] - known[i] : part[i] - other[i];
        }
        round.send(roles.pivot, message);
    }
    round.finish();
    truncate_known(party, roles, known, shift, first, second);
}

}  // namespace internal
}  // namespace ward::mpc
