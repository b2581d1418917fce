#include "ward/mpc/internal/verify_numbers.h"

#include <algorithm>

#include "ward/mpc/internal/vector_loops.h"

namespace ward::mpc::internal {
namespace {

constexpr size_t kChunk = 256;  // of each piece: what is made of it stays in the cache

// Where a chunk of piece j is in the list of terms: chunks of the same place in all pieces stand
// one behind the other, so that memory is read in order.
size_t place(size_t j, size_t begin, size_t count) {
    return begin * NumberRelations::kPieces + j * count;
}

WARD_LOOP void dot_loop(const Ring* a, const Ring* b, size_t n, Ring* out) {
    Ring sum = 0;
    for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    *out = sum;
}

}  // namespace

struct NumberRelations::Chunk {
    explicit Chunk(bool wide)
        : u(kPieces * kChunk), u_high(wide ? kPieces * kChunk : 0), v(kPieces * kChunk) {}

    WideRows u_rows() const { return {u.data(), u_high.empty() ? nullptr : u_high.data(), kChunk}; }
    WideRows v_rows() const { return {nullptr, nullptr, 0, v_at}; }

    RingVector u, u_high, v;
    const Ring* v_at[kPieces];  // in v, or where they are
};

NumberRelations::Place NumberRelations::add(Role role, size_t count, size_t terms) {
    Side& side = sides_[role];
    const size_t begin = side.groups.empty() ? 0 : side.groups.back().end;
    side.groups.push_back({count, terms, begin, begin + count * terms, this->count(role)});
    Place out{role == kRight ? nullptr : &side.u, role == kLeft ? nullptr : &side.v, nullptr};
    if (role != kProver || width_ == Width::kWide) {
        side.claim.resize(side.claim.size() + count);
        out.claim = side.claim.data() + (side.claim.size() - count);
    }
    return out;
}

NumberRelations::Room NumberRelations::add_numbers(Role role, size_t count, size_t terms) {
    const Place place = add(role, count, terms);
    return {place.u == nullptr ? nullptr : place.u->add_numbers(count * terms),
            place.v == nullptr ? nullptr : place.v->add_numbers(count * terms), place.claim};
}

bool NumberRelations::empty() const {
    return std::all_of(std::begin(sides_), std::end(sides_),
                       [](const Side& side) { return side.groups.empty(); });
}

void NumberRelations::clear() {
    for (Side& side : sides_) {
        side.groups.clear();
        side.u.clear();
        side.v.clear();
        side.claim.clear();
        side.sum = 0;
    }
}

size_t NumberRelations::count(Role role) const {
    const auto& groups = sides_[role].groups;
    return groups.empty() ? 0 : groups.back().relation + groups.back().count;
}

// The same for all three sessions, each of which this party takes part in.
size_t NumberRelations::piece_length() const {
    size_t longest = 0;
    for (const Side& side : sides_) {
        if (!side.groups.empty()) longest = std::max(longest, side.groups.back().end);
    }
    constexpr size_t kStep = kPieces * kWideLengthStep;
    return (longest + kStep - 1) / kStep * kWideLengthStep;
}

// sum u v + b, and one more if a, which makes the low word zero, is not zero itself.
void NumberRelations::high_words(Ring* out) const {
    const Side& side = sides_[kProver];
    Ring u[kChunk], v[kChunk];
    Uint128 sums[kChunk];
    const Ring* b = side.claim.data();
    size_t at = 0;
    for (const Group& group : side.groups) {
        for (size_t begin = 0; begin < group.count; begin += kChunk) {
            const size_t here = std::min(kChunk, group.count - begin);
            for (size_t i = 0; i < here; ++i) sums[i] = *b++;
            for (size_t k = 0; k < group.terms; ++k) {
                side.u.read(at + k * group.count + begin, here, u);
                side.v.read(at + k * group.count + begin, here, v);
                for (size_t i = 0; i < here; ++i) sums[i] += Uint128{u[i]} * v[i];
            }
            for (size_t i = 0; i < here; ++i) {
                *out++ = static_cast<Ring>(sums[i] >> 64) + (static_cast<Ring>(sums[i]) != 0);
            }
        }
        at += group.count * group.terms;
    }
}

void NumberRelations::combine(KeyStream& challenge, const Ring* left_w, const Ring* right_w) {
    factors_.resize(std::max({count(kProver), count(kLeft), count(kRight)}));
    challenge.fill(std::span<uint64_t>(factors_));
    sides_[kLeft].sum = sum_of_claims(sides_[kLeft], left_w);
    sides_[kRight].sum = sum_of_claims(sides_[kRight], right_w);
}

// Of narrow relations modulo 2^64, of wide ones with their w.
Uint128 NumberRelations::sum_of_claims(const Side& side, const Ring* w) const {
    const size_t count = side.claim.size();
    if (width_ == Width::kNarrow) {
        Ring sum = 0;
        run_loop<dot_loop>(factors_.data(), side.claim.data(), count, &sum);
        return 0 - sum;
    }
    Uint128 sum = 0;
    for (size_t i = 0; i < count; ++i) {
        sum += factors_[i] * ((Uint128{w[i]} << 64) - side.claim[i]);
    }
    return sum;
}

// Terms times the factors of their relations.
void NumberRelations::scale(const Side& side, size_t at, size_t count, const Ring* u, Ring* out,
                            Ring* out_high) const {
    auto group = std::upper_bound(side.groups.begin(), side.groups.end(), at,
                                  [](size_t value, const Group& g) { return value < g.end; });
    for (; count > 0 && group != side.groups.end(); ++group) {
        while (count > 0 && at < group->end) {
            const size_t relation = (at - group->begin) % group->count;
            const size_t here = std::min(count, group->count - relation);
            const Ring* factors = &factors_[group->relation + relation];
            if (out_high != nullptr) {
                scale_wide(factors, u, here, out, out_high);
                out_high += here;
            } else {
                scale_narrow(factors, u, here, out);
            }
            u += here;
            out += here;
            at += here;
            count -= here;
        }
    }
    std::fill_n(out, count, Ring{0});  // behind the last term
    if (out_high != nullptr) std::fill_n(out_high, count, Ring{0});
}

void NumberRelations::read_u(const Side& side, size_t begin, size_t count, Chunk& chunk) const {
    for (size_t j = 0; j < kPieces; ++j) {
        const size_t at = place(j, begin, count);
        Ring* out = &chunk.u[j * kChunk];
        const Ring* u = side.u.view(at, count, out);
        scale(side, at, count, u, out, chunk.u_high.empty() ? nullptr : &chunk.u_high[j * kChunk]);
    }
}

void NumberRelations::read_v(const Side& side, size_t begin, size_t count, Chunk& chunk) const {
    for (size_t j = 0; j < kPieces; ++j) {
        chunk.v_at[j] = side.v.view(place(j, begin, count), count, &chunk.v[j * kChunk]);
    }
}

void NumberRelations::table(Uint128* out) const {
    const size_t length = piece_length();
    const bool wide = width_ == Width::kWide;
    Chunk chunk(wide);
    std::fill_n(out, kPieces * kPieces, Uint128{0});
    for (size_t begin = 0; begin < length; begin += kChunk) {
        const size_t count = std::min(kChunk, length - begin);
        read_u(sides_[kProver], begin, count, chunk);
        read_v(sides_[kProver], begin, count, chunk);
        Uint128 part[kPieces * kPieces];
        const auto table = wide ? wide_table : narrow_table;
        table(chunk.u_rows(), kPieces, chunk.v_rows(), kPieces, count, part);
        for (size_t i = 0; i < kPieces * kPieces; ++i) out[i] += part[i];
    }
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
    Ring x_words[kPieces], y_words[kPieces];
    std::copy(x.begin(), x.end(), x_words);
    std::copy(y.begin(), y.end(), y_words);
    const size_t length = piece_length();
    const bool wide = width_ == Width::kWide;
    const int shift = wide ? 0 : 128 - kNarrowBits;
    Chunk chunk(wide);
    for (size_t begin = 0; begin < length; begin += kChunk) {
        const size_t count = std::min(kChunk, length - begin);
        const auto fold_u = [&](Role role, Vector& out) {
            read_u(sides_[role], begin, count, chunk);
            fold_rows(x_words, chunk.u_rows(), count, shift, &out[at + begin]);
        };
        const auto fold_v = [&](Role role, Vector& out) {
            read_v(sides_[role], begin, count, chunk);
            fold_rows(y_words, chunk.v_rows(), count, 0, &out[at + begin]);
        };
        fold_u(kProver, statement.u);
        fold_u(kLeft, statement.left_u);
        fold_v(kProver, statement.v);
        fold_v(kRight, statement.right_v);
    }
    statement.a += InnerProductCheck<Wide>::folded_claim(left.data(), x, y) << shift;
    statement.b += InnerProductCheck<Wide>::folded_claim(right.data(), x, y) << shift;
}

void NumberRelations::fold_rows(const Ring* factors, const WideRows& rows, size_t count, int shift,
                                Uint128* out) const {
    if (width_ == Width::kWide) {
        wide_fold(factors, rows, kPieces, count, out);
    } else {
        narrow_fold(factors, rows, kPieces, count, shift, out);
    }
}

}  // namespace ward::mpc::internal
