#include "ward/mpc/internal/verify_bits.h"

#include <algorithm>

#include "ward/mpc/internal/gf64.h"
#include "ward/mpc/internal/inner_product.h"
#include "ward/mpc/internal/verify_bit_kernels.h"

namespace ward::mpc::internal {
namespace {

using Vector = Statement<Binary>::Vector;

constexpr size_t kBits = 64;
constexpr size_t kMany = 4096;  // words from which on the large table pays

size_t pieces_of(size_t words) { return words >= kMany ? 64 : 16; }

// An odd multiple of eight: pieces of other lengths would compete for the same lines of the cache.
size_t length_of(size_t words) {
    const size_t pieces = pieces_of(words);
    return ((words + pieces - 1) / pieces + 7) / 16 * 16 + 8;
}

void append(RingVector& to, const RingVector& from) {
    to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

void BitRelations::add(Words x, Words y, const RingVector& own_mask, const RingVector& next_mask,
                       const RingVector& received) {
    append(x_.first, x.first);
    append(x_.second, x.second);
    append(y_.first, y.first);
    append(y_.second, y.second);
    append(right_claim_, own_mask);
    const size_t at = left_claim_.size(), n = received.size();
    left_claim_.resize(at + n);
    for (size_t i = 0; i < n; ++i) {
        left_claim_[at + i] = (x.second[i] & y.second[i]) ^ next_mask[i] ^ received[i];
    }
}

void BitRelations::clear() {
    for (RingVector* vector :
         {&x_.first, &x_.second, &y_.first, &y_.second, &left_claim_, &right_claim_}) {
        vector->clear();
    }
}

void BitRelations::fill_up(size_t words) {
    for (RingVector* vector : {&x_.first, &x_.second, &y_.first, &y_.second}) {
        vector->resize(words, Ring{0});
    }
}

// As the prover, u is (x_i, y_i) and v is (y_(i+1), x_(i+1)); the left verifier has the same u in
// its second parts, the right one the same v in its first parts.
void BitRelations::prove(Sessions& sessions, KeyStream& challenge, Sessions::ToRight& round) {
    const size_t words = left_claim_.size(), pieces = pieces_of(words), length = length_of(words);
    fill_up(pieces * length);
    factors_.resize(pieces * length);
    challenge.fill(std::span<uint64_t>(factors_));
    Vector table(pieces * pieces);
    bit_table(factors_.data(),
              {x_.first.data(), y_.first.data(), y_.second.data(), x_.second.data()}, pieces,
              length, table.data());
    parts_ = Check::mask_table(sessions, std::move(table));
    check_.emplace(sessions, 2 * kBits * length);
    round.add(parts_.own, parts_.right);
    check_->deal(round);
}

void BitRelations::fold(KeyStream& challenge) {
    const size_t words = left_claim_.size(), pieces = pieces_of(words), length = length_of(words);
    Check::set_first(parts_.left.data(), pieces,
                     gf64_dot(left_claim_.data(), factors_.data(), words));
    Check::set_first(parts_.right.data(), pieces,
                     gf64_dot(right_claim_.data(), factors_.data(), words));
    const size_t half = kBits * length;
    const Vector x = Check::draw_challenges(challenge, pieces);
    const Vector y = Check::draw_challenges(challenge, pieces);
    for (size_t j = 0; j < pieces; ++j) gf64_scale(x[j], &factors_[j * length], length);
    Statement<Binary>& s = statement_;
    s.reset(2 * half);
    const auto fold = [&](const RingVector& bits, uint64_t* by_word, uint64_t* by_piece) {
        bit_fold(bits.data(), {factors_.data(), y.data(), by_word, by_piece}, pieces, length);
    };
    fold(x_.first, &s.u[0], &s.right_v[half]);
    fold(y_.first, &s.u[half], &s.right_v[0]);
    fold(y_.second, &s.left_u[half], &s.v[0]);
    fold(x_.second, &s.left_u[0], &s.v[half]);
    s.a = Check::folded_claim(parts_.left.data(), x, y);
    s.b = Check::folded_claim(parts_.right.data(), x, y);
}

}  // namespace ward::mpc::internal
