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
        for (size_t i = 0; i < group.count; ++i) {
            Uint128 sum = *b++;
            for (size_t k = 0; k < group.terms; ++k) sum += Uint128{*u++} * *v++;
            *out++ = static_cast<Ring>(sum >> 64) + (static_cast<Ring>(sum) != 0 ? 1 : 0);
        }
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

void NumberRelations::combine_side(Role role, const RingVector& factors, const Ring* w) {
    Side& side = sides_[role];
    const bool wide = width_ == Width::kWide;
    if (role != kProver) {
        side.sum = 0;
        for (size_t i = 0; i < side.claim.size(); ++i) {
            const Uint128 high = wide ? Uint128{w[i]} << 64 : 0;
            side.sum += factors[i] * (high - side.claim[i]);
        }
    }
    if (role == kRight) return;
    if (wide) side.u_high.resize(side.u.size());
    Ring *u = side.u.data(), *u_high = side.u_high.data();
    const Ring* factor = factors.data();
    for (const Group& group : side.groups) {
        for (size_t i = 0; i < group.count; ++i, ++factor) {
            for (size_t k = 0; k < group.terms; ++k, ++u) {
                const Uint128 product = Uint128{*factor} * *u;
                *u = static_cast<Ring>(product);
                if (wide) *u_high++ = static_cast<Ring>(product >> 64);
            }
        }
    }
}

WideRows NumberRelations::u_rows(const Side& side) const {
    return {side.u.data(), width_ == Width::kWide ? side.u_high.data() : nullptr, piece_length()};
}

void NumberRelations::table(Uint128* out) const {
    const Side& side = sides_[kProver];
    wide_table(u_rows(side), kPieces, side.v.data(), piece_length(), kPieces, piece_length(), out);
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
    uint64_t x[kPieces], y[kPieces];
    challenge.fill(std::span<uint64_t>(x));
    challenge.fill(std::span<uint64_t>(y));
    const size_t length = piece_length();
    const auto fold_v = [&](const Side& side, Vector& out) {
        wide_fold(y, {side.v.data(), nullptr, length}, kPieces, length, &out[at]);
    };
    wide_fold(x, u_rows(sides_[kProver]), kPieces, length, &statement.u[at]);
    wide_fold(x, u_rows(sides_[kLeft]), kPieces, length, &statement.left_u[at]);
    fold_v(sides_[kProver], statement.v);
    fold_v(sides_[kRight], statement.right_v);
    const Vector xs(std::begin(x), std::end(x)), ys(std::begin(y), std::end(y));
    statement.a += InnerProductCheck<Wide>::folded_claim(left.data(), xs, ys);
    statement.b += InnerProductCheck<Wide>::folded_claim(right.data(), xs, ys);
}

}  // namespace ward::mpc::internal
