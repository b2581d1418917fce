#include "ward/mpc/internal/bit_circuits.h"

#include <algorithm>

#include "ward/mpc/internal/verify.h"

namespace ward::mpc::internal {

Planes and_planes(Party& party, const Planes& x, const Planes& y) {
    const int self = party.index();
    const size_t n = x.first.size();
    Planes out;
    out.first = party.draw(self, n);
    out.second = party.draw((self + 1) % 3, n);
    Verifier* verifier = party.verifier();
    RingVector own_mask, next_mask;
    if (verifier != nullptr) {
        own_mask = out.first;
        next_mask = out.second;
    }
    for (size_t i = 0; i < n; ++i) {
        out.first[i] ^=
            out.second[i] ^ (x.first[i] & (y.first[i] ^ y.second[i])) ^ (x.second[i] & y.first[i]);
    }
    Party::Round round(party);
    round.send((self + 2) % 3, out.first);
    round.receive((self + 1) % 3, out.second);
    round.finish();
    if (verifier != nullptr) {
        verifier->bits().add({x.first, x.second}, {y.first, y.second}, own_mask, next_mask,
                             out.second);
    }
    return out;
}

void flip(const Party& party, Planes& x) {
    if (party.index() == 0) {
        for (Ring& word : x.first) word = ~word;
    } else if (party.index() == 2) {
        for (Ring& word : x.second) word = ~word;
    }
}

Planes part_of(const Planes& from, size_t begin, size_t count) {
    const auto cut = [&](const RingVector& v) {
        const auto at = v.begin() + static_cast<std::ptrdiff_t>(begin);
        return RingVector(at, at + static_cast<std::ptrdiff_t>(count));
    };
    return {cut(from.first), cut(from.second)};
}

void append(Planes& to, const Planes& from) {
    to.first.insert(to.first.end(), from.first.begin(), from.first.end());
    to.second.insert(to.second.end(), from.second.begin(), from.second.end());
}

void add_words(const Planes& from, size_t from_at, size_t count, Planes& to, size_t to_at) {
    for (size_t i = 0; i < count; ++i) to.first[to_at + i] ^= from.first[from_at + i];
    for (size_t i = 0; i < count; ++i) to.second[to_at + i] ^= from.second[from_at + i];
}

namespace {

// One part (first or second) of the two factors of a level of the tree: pairs of groups (2k + 1,
// 2k) give P_hi G_lo for each k, and P_hi P_lo for k > 0.
void gather_pairs(const RingVector& planes, size_t groups, size_t words, RingVector& left,
                  RingVector& right) {
    const size_t pairs = groups / 2;
    left.resize((2 * pairs - 1) * words);
    right.resize(left.size());
    const auto generate = [&](size_t g) { return &planes[g * words]; };
    const auto propagate = [&](size_t g) { return &planes[(groups + g - 1) * words]; };
    for (size_t k = 0; k < pairs; ++k) {
        std::copy_n(propagate(2 * k + 1), words, &left[k * words]);
        std::copy_n(generate(2 * k), words, &right[k * words]);
        if (k == 0) continue;
        std::copy_n(propagate(2 * k + 1), words, &left[(pairs + k - 1) * words]);
        std::copy_n(propagate(2 * k), words, &right[(pairs + k - 1) * words]);
    }
}

// The planes of the next level; an odd group on top stays as it is.
RingVector fold_pairs(const RingVector& planes, const RingVector& products, size_t groups,
                      size_t words) {
    const size_t pairs = groups / 2;
    const size_t next = pairs + groups % 2;
    RingVector out((2 * next - 1) * words);
    for (size_t k = 0; k < pairs; ++k) {
        const Ring* high = &planes[(2 * k + 1) * words];
        for (size_t w = 0; w < words; ++w) out[k * words + w] = high[w] ^ products[k * words + w];
    }
    std::copy_n(&products[pairs * words], (pairs - 1) * words, &out[next * words]);
    if (groups % 2 != 0) {
        std::copy_n(&planes[(groups - 1) * words], words, &out[(next - 1) * words]);
        std::copy_n(&planes[(2 * groups - 2) * words], words, &out[(2 * next - 2) * words]);
    }
    return out;
}

}  // namespace

Planes carry_tree(Party& party, Planes planes, size_t groups, size_t words) {
    while (groups > 1) {
        Planes left, right;
        gather_pairs(planes.first, groups, words, left.first, right.first);
        gather_pairs(planes.second, groups, words, left.second, right.second);
        const Planes products = and_planes(party, left, right);
        planes.first = fold_pairs(planes.first, products.first, groups, words);
        planes.second = fold_pairs(planes.second, products.second, groups, words);
        groups = groups / 2 + groups % 2;
    }
    return planes;
}

}  // namespace ward::mpc::internal
