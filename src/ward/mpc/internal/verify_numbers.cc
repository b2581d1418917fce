#include "ward/mpc/internal/verify_numbers.h"

#include <algorithm>

namespace ward::mpc::internal {
namespace {

constexpr Role kRoles[] = {kProver, kLeft, kRight};

Ring* grow(RingVector& vector, size_t more) {
    vector.resize(vector.size() + more);
    return vector.data() + (vector.size() - more);
}

}  // namespace

NumberRelations::Room NumberRelations::add(Role role, size_t count, size_t terms) {
    Side& side = sides_[role];
    side.groups.push_back({count, terms});
    Room out{};
    if (role != kRight) out.u = grow(side.u, count * terms);
    if (role != kLeft) out.v = grow(side.v, count * terms);
    if (role != kProver || width_ == Width::kWide) out.claim = grow(side.claim, count);
    return out;
}

bool NumberRelations::empty() const {
    return std::all_of(std::begin(sides_), std::end(sides_),
                       [](const Side& side) { return side.groups.empty(); });
}

void NumberRelations::clear() {
    for (Side& side : sides_) {
        side.groups.clear();
        for (RingVector* vector : {&side.u, &side.v, &side.claim, &side.u_high}) vector->clear();
        side.sum = 0;
    }
}

size_t NumberRelations::count(Role role) const {
    size_t out = 0;
    for (const Group& group : sides_[role].groups) out += group.count;
    return out;
}

// The same for all three sessions, each of which this party takes part in.
size_t NumberRelations::piece_length() const {
    size_t longest = 0;
    for (const Side& side : sides_) {
        size_t length = 0;
        for (const Group& group : side.groups) length += group.count * group.terms;
        longest = std::max(longest, length);
    }
    constexpr size_t kStep = kPieces * kWideLengthStep;
    return (longest + kStep - 1) / kStep * kWideLengthStep;
}

// sum u v + b, and one more if a, which makes the low word zero, is not zero itself.
void NumberRelations::high_words(Ring* out) const {
    const Side& side = sides_[kProver];
    const Ring *u = side.u.data(), *v = side.v.data(), *b = side.claim.data();
    for (const Group& group : side.groups) {
        for (size_t i = 0; i < group.count; ++i, ++u, ++v) {
            Uint128 sum = *b++;
            for (size_t k = 0; k < group.terms; ++k) {
                sum += Uint128{u[k * group.count]} * v[k * group.count];
            }
            *out++ = static_cast<Ring>(sum >> 64) + (static_cast<Ring>(sum) != 0 ? 1 : 0);
        }
        u += group.count * (group.terms - 1);
        v += group.count * (group.terms - 1);
    }
}

void NumberRelations::combine(KeyStream& challenge, const Ring* left_w, const Ring* right_w) {
    RingVector factors(std::max({count(kProver), count(kLeft), count(kRight)}));
    challenge.fill(std::span<uint64_t>(factors));
    const size_t terms = kPieces * piece_length();
    for (Role role : kRoles) {
        combine_side(role, factors, role == kLeft ? left_w : right_w);
        Side& side = sides_[role];
        if (role != kRight) side.u.resize(terms, Ring{0});
        if (role != kRight && width_ == Width::kWide) side.u_high.resize(terms, Ring{0});
        if (role != kLeft) side.v.resize(terms, Ring{0});
    }
}

Uint128 NumberRelations::sum_of_claims(const Side& side, const RingVector& factors) {
    Ring sum = 0;
    for (size_t i = 0; i < side.claim.size(); ++i) sum -= factors[i] * side.claim[i];
    return sum;
}

Uint128 NumberRelations::sum_of_claims(const Side& side, const RingVector& factors, const Ring* w) {
    Uint128 sum = 0;
    for (size_t i = 0; i < side.claim.size(); ++i) {
        sum += factors[i] * ((Uint128{w[i]} << 64) - side.claim[i]);
    }
    return sum;
}

void NumberRelations::combine_side(Role role, const RingVector& factors, const Ring* w) {
    Side& side = sides_[role];
    const bool wide = width_ == Width::kWide;
    if (role != kProver)
        side.sum = wide ? sum_of_claims(side, factors, w) : sum_of_claims(side, factors);
    if (role == kRight) return;
    Ring* u = side.u.data();
    const Ring* factor = factors.data();
    if (wide) side.u_high.resize(side.u.size());
    Ring* u_high = side.u_high.data();
    for (const Group& group : side.groups) {
        for (size_t k = 0; k < group.terms; ++k, u += group.count, u_high += group.count) {
            if (wide) {
                scale_wide(factor, group.count, u, u_high);
            } else {
                scale_narrow(factor, group.count, u);
            }
        }
        factor += group.count;
    }
}

WideRows NumberRelations::u_rows(const Side& side) const {
    return {side.u.data(), width_ == Width::kWide ? side.u_high.data() : nullptr, piece_length()};
}

WideRows NumberRelations::v_rows(const Side& side) const {
    return {side.v.data(), nullptr, piece_length()};
}

void NumberRelations::table(Uint128* out) const {
    const Side& side = sides_[kProver];
    const auto table = width_ == Width::kWide ? wide_table : narrow_table;
    table(u_rows(side), kPieces, v_rows(side), kPieces, piece_length(), out);
}

// sum of T_jj - claim is zero; each verifier has a part of it.
void NumberRelations::set_tables(std::span<const Uint128> left, std::span<const Uint128> right,
                                 Statement<Wide>& statement) const {
    Uint128 of_left = 0 - sides_[kLeft].sum, of_right = sides_[kRight].sum;
    for (size_t j = 0; j < kPieces; ++j) {
        of_left += left[j * kPieces + j];
        of_right -= right[j * kPieces + j];
    }
    if (width_ == Width::kNarrow) {
        of_left = static_cast<uint64_t>(of_left);
        of_right = static_cast<uint64_t>(of_right);
    }
    statement.left_alike.push_back(of_left);
    statement.right_alike.push_back(of_right);
}

void NumberRelations::fold(KeyStream& challenge, std::span<const Uint128> left,
                           std::span<const Uint128> right, Statement<Wide>& statement,
                           size_t at) const {
    const Vector x = InnerProductCheck<Wide>::draw_challenges(challenge, kPieces);
    const Vector y = InnerProductCheck<Wide>::draw_challenges(challenge, kPieces);
    const size_t length = piece_length();
    const bool wide = width_ == Width::kWide;
    const auto fold = [&](const Vector& factors, const WideRows& rows, Vector& out, int shift) {
        uint64_t words[kPieces];
        std::copy(factors.begin(), factors.end(), words);
        if (wide) {
            wide_fold(words, rows, kPieces, length, &out[at]);
        } else {
            narrow_fold(words, rows, kPieces, length, shift, &out[at]);
        }
    };
    constexpr int kShift = 128 - kNarrowBits;
    fold(x, u_rows(sides_[kProver]), statement.u, kShift);
    fold(x, u_rows(sides_[kLeft]), statement.left_u, kShift);
    fold(y, v_rows(sides_[kProver]), statement.v, 0);
    fold(y, v_rows(sides_[kRight]), statement.right_v, 0);
    const int shift = wide ? 0 : kShift;
    statement.a += InnerProductCheck<Wide>::folded_claim(left.data(), x, y) << shift;
    statement.b += InnerProductCheck<Wide>::folded_claim(right.data(), x, y) << shift;
}

}  // namespace ward::mpc::internal
