#include "ward/mpc/internal/verify.h"

#include <algorithm>

#include "ward/mpc/internal/matmul.h"
#include "ward/mpc/internal/verify_bits.h"

namespace ward::mpc::internal {
namespace {

using WideElement = Wide::Element;
using WideVector = Statement<Wide>::Vector;

constexpr size_t kProjected = 40;  // rows and columns that stay of a large product

void append(RingVector& to, const RingVector& from) {
    to.insert(to.end(), from.begin(), from.end());
}

// count x width zeros and ones.
RingVector draw_selection(KeyStream& stream, size_t count) {
    std::vector<uint64_t> words(words_for_bits(count));
    stream.fill(std::span<uint64_t>(words));
    RingVector out(count);
    for (size_t i = 0; i < count; ++i) out[i] = words[i / 64] >> (i % 64) & 1;
    return out;
}

RingVector product(const RingVector& a, const RingVector& b, size_t rows, size_t inner,
                   size_t cols) {
    RingVector out(rows * cols);
    std::fill(out.begin(), out.end(), Ring{0});
    matmul_accumulate(a.data(), b.data(), out.data(), rows, inner, cols);
    return out;
}

// Random zeros and ones on both sides of an m x n product; sides that are short stay as they are.
struct Projection {
    Projection(KeyStream& stream, size_t m, size_t n)
        : rows(std::min(m, kProjected)), cols(std::min(n, kProjected)), m_(m), n_(n) {
        if (rows < m) left_ = draw_selection(stream, rows * m);
        if (cols < n) right_ = draw_selection(stream, n * cols);
    }
    RingVector from_left(const RingVector& x, size_t width) const {
        return left_.empty() ? x : product(left_, x, rows, m_, width);
    }
    RingVector from_right(const RingVector& y, size_t height) const {
        return right_.empty() ? y : product(y, right_, height, n_, cols);
    }
    RingVector both(const RingVector& z) const { return from_right(from_left(z, n_), rows); }

    size_t rows, cols;

  private:
    size_t m_, n_;
    RingVector left_, right_;
};

RingVector difference(const RingVector& a, const RingVector& b) {
    RingVector out(a.size());
    for (size_t i = 0; i < a.size(); ++i) out[i] = a[i] - b[i];
    return out;
}
RingVector negated(RingVector a) {
    for (Ring& value : a) value = 0 - value;
    return a;
}

// sum over r of factors[r] x[r][k], and over c of factors[c] y[k][c].
void combine_rows(const RingVector& x, const WideVector& factors, size_t width, WideElement* out) {
    std::fill_n(out, width, WideElement{0});
    for (size_t r = 0; r < factors.size(); ++r) {
        for (size_t k = 0; k < width; ++k) out[k] += factors[r] * x[r * width + k];
    }
}
void combine_columns(const RingVector& y, const WideVector& factors, size_t height,
                     WideElement* out) {
    const size_t width = factors.size();
    for (size_t k = 0; k < height; ++k) {
        WideElement sum = 0;
        for (size_t c = 0; c < width; ++c) sum += factors[c] * y[k * width + c];
        out[k] = sum;
    }
}

}  // namespace

// xu yv + yu xv + a + b = 2^64 w, (rows x inner)(inner x cols) each; empty where not known.
struct Verifier::Projected {
    size_t rows = 0, inner = 0, cols = 0;
    RingVector x_u, y_u, a;
    RingVector x_v, y_v, b;
};

void Verifier::add_products(std::span<const SharedMatrix* const> xs,
                            std::span<const SharedMatrix* const> ys, const Reshared& z) {
    const size_t n = z.sent.size(), terms = 2 * xs.size();
    for (Side& side : sides_) side.groups.push_back({n, terms});
    Side &own = sides_[kProver], &left = sides_[kLeft], &right = sides_[kRight];
    const auto grow = [](RingVector& vector, size_t more) {
        vector.resize(vector.size() + more);
        return vector.data() + vector.size() - more;
    };
    Ring *pu = grow(own.u, n * terms), *pv = grow(own.v, n * terms);
    Ring *lu = grow(left.u, n * terms), *rv = grow(right.v, n * terms);
    Ring *w = grow(own.w, n), *la = grow(left.a, n), *rb = grow(right.b, n);
    for (size_t i = 0; i < n; ++i) {
        Ring first = 0, second = 0;
        WideElement cross = 0;
        for (size_t k = 0; k < xs.size(); ++k) {
            const Ring xf = xs[k]->first[i], xs2 = xs[k]->second[i];
            const Ring yf = ys[k]->first[i], ys2 = ys[k]->second[i];
            *pu++ = xf;
            *pu++ = yf;
            *pv++ = ys2;
            *pv++ = xs2;
            *lu++ = xs2;
            *lu++ = ys2;
            *rv++ = yf;
            *rv++ = xf;
            first += xf * yf;
            second += xs2 * ys2;
            cross += WideElement{xf} * ys2 + WideElement{yf} * xs2;
        }
        const Ring a = first + z.own_mask[i] - z.sent[i], b = 0 - z.next_mask[i];
        w[i] = static_cast<Ring>((cross + a + b) >> 64);
        la[i] = second + z.next_mask[i] - z.received[i];
        rb[i] = 0 - z.own_mask[i];
    }
}

void Verifier::add_matrix_product(const SharedMatrix& x, const SharedMatrix& y, Reshared z) {
    matrices_.push_back({x, y, std::move(z)});
}

void Verifier::add_ands(Words x, Words y, const Reshared& z) {
    const size_t n = x.first.size();
    // The two cross terms of a word stand beside one another and share its claim.
    const auto pairs = [n](RingVector& to, const RingVector& one, const RingVector& other) {
        const size_t at = to.size();
        to.resize(at + 2 * n);
        for (size_t i = 0; i < n; ++i) {
            to[at + 2 * i] = one[i];
            to[at + 2 * i + 1] = other[i];
        }
    };
    pairs(bits_[kProver].u, x.first, y.first);
    pairs(bits_[kProver].v, y.second, x.second);
    pairs(bits_[kLeft].u, x.second, y.second);
    pairs(bits_[kRight].v, y.first, x.first);
    RingVector& left = bits_[kLeft].claim;
    for (size_t i = 0; i < n; ++i) {
        left.push_back((x.second[i] & y.second[i]) ^ z.next_mask[i] ^ z.received[i]);
    }
    append(bits_[kRight].claim, z.own_mask);
}

void Verifier::add_relations(Role role, Width width, size_t terms, const RingVector& u,
                             const RingVector& v, const RingVector& a, const RingVector& b) {
    Side& side = sides_[role];
    const size_t count = (role == kRight ? v.size() : u.size()) / terms;
    side.groups.push_back({count, terms, width});
    if (role != kRight) append(side.u, u);
    if (role != kLeft) append(side.v, v);
    if (role == kLeft) append(side.a, a);
    if (role == kRight) append(side.b, b);
    if (role != kProver) return;
    for (size_t i = 0; i < count; ++i) {
        WideElement sum = WideElement{a[i]} + b[i];
        for (size_t k = i * terms; k < (i + 1) * terms; ++k) sum += WideElement{u[k]} * v[k];
        if (width == Width::kWide) {
            side.w.push_back(static_cast<Ring>(sum >> 64));
        } else {
            side.narrow_w.push_back(static_cast<uint16_t>(sum >> 64));
        }
    }
}

bool Verifier::pending() const {
    const bool numbers = std::any_of(std::begin(sides_), std::end(sides_),
                                     [](const Side& side) { return !side.groups.empty(); });
    return numbers || !matrices_.empty() || !bits_[kProver].u.empty();
}

void Verifier::check(Party& party) {
    if (!pending()) return;
    const net::TrafficLedger::Scope scope(party.ledger(), "verify");
    Sessions sessions(party);
    const bool numbers = std::any_of(std::begin(sides_), std::end(sides_),
                                     [](const Side& side) { return !side.groups.empty(); });
    if (numbers || !matrices_.empty()) check_numbers(sessions);
    if (!bits_[kProver].u.empty()) check_bits(sessions);
    // The memory stays: the next step will need as much.
    for (Side& side : sides_) side.clear();
    for (BitSide& side : bits_) side.clear();
    matrices_.clear();
}

// The w of the projected matrices behind those of all other relations.
RingVector Verifier::own_high_words(const std::vector<Projected>& projected) const {
    RingVector out = sides_[kProver].w;
    for (const Projected& p : projected) {
        // Columns of y beside one another in memory.
        RingVector y_v(p.y_v.size()), y_u(p.y_u.size());
        transpose(p.y_v.data(), y_v.data(), p.inner, p.cols);
        transpose(p.y_u.data(), y_u.data(), p.inner, p.cols);
        for (size_t r = 0; r < p.rows; ++r) {
            const Ring* x_u = &p.x_u[r * p.inner];
            const Ring* x_v = &p.x_v[r * p.inner];
            for (size_t c = 0; c < p.cols; ++c) {
                const Ring *v = &y_v[c * p.inner], *u = &y_u[c * p.inner];
                WideElement sum = 0, other = 0;
                for (size_t k = 0; k < p.inner; ++k) {
                    sum += WideElement{x_u[k]} * v[k];
                    other += WideElement{u[k]} * x_v[k];
                }
                sum += other;
                sum += p.a[r * p.cols + c];
                sum += p.b[r * p.cols + c];
                out.push_back(static_cast<Ring>(sum >> 64));
            }
        }
    }
    return out;
}

size_t Verifier::wide_length(const std::vector<Projected> (&projected)[3]) const {
    size_t longest = 1;
    for (size_t role = 0; role < 3; ++role) {
        size_t length = 0;
        for (const Group& group : sides_[role].groups) length += group.count * group.terms;
        for (const Projected& p : projected[role]) length += 2 * p.inner;
        longest = std::max(longest, length);
    }
    return longest;
}

// w = w_left + w_right, the left part from a common key.
void Verifier::exchange_high_words(Sessions& sessions, const std::vector<Projected> (&projected)[3],
                                   HighWords& left, HighWords& right) const {
    HighWords own = {own_high_words(projected[kProver]), sides_[kProver].narrow_w};
    HighWords mask;
    const auto resize = [&](HighWords& words, Role role) {
        size_t wide = 0, narrow = 0;
        for (const Group& group : sides_[role].groups) {
            (group.width == Width::kWide ? wide : narrow) += group.count;
        }
        for (const Projected& p : projected[role]) wide += p.rows * p.cols;
        words.wide.resize(wide);
        words.narrow.resize(narrow);
    };
    const auto fill = [](HighWords& words, KeyStream& stream) {
        stream.fill(std::span<uint64_t>(words.wide));
        stream.fill(std::span<uint8_t>(reinterpret_cast<uint8_t*>(words.narrow.data()),
                                       words.narrow.size() * sizeof(uint16_t)));
    };
    resize(mask, kProver);
    resize(left, kLeft);
    resize(right, kRight);
    fill(mask, sessions.with_left(kProver));
    fill(left, sessions.with_left(kLeft));
    for (size_t i = 0; i < own.wide.size(); ++i) own.wide[i] -= mask.wide[i];
    for (size_t i = 0; i < own.narrow.size(); ++i) {
        own.narrow[i] = static_cast<uint16_t>(own.narrow[i] - mask.narrow[i]);
    }
    sessions.send_right(own.wide, right.wide);
    sessions.send_right(own.narrow, right.narrow);
}

Verifier::Projected Verifier::project(Role role, const MatrixProduct& m, KeyStream& challenge) {
    const size_t inner = m.x.cols;
    const Projection by(challenge, m.x.rows, m.y.cols);
    const bool own = role == kProver;
    Projected p;
    p.rows = by.rows;
    p.inner = inner;
    p.cols = by.cols;
    if (role != kRight) {  // parts and masks common to prover and left
        p.x_u = by.from_left(own ? m.x.first : m.x.second, inner);
        p.y_u = by.from_right(own ? m.y.first : m.y.second, inner);
        p.a = by.both(own ? difference(m.z.own_mask, m.z.sent)
                          : difference(m.z.next_mask, m.z.received));
        matmul_accumulate(p.x_u.data(), p.y_u.data(), p.a.data(), p.rows, inner, p.cols);
    }
    if (role != kLeft) {
        p.x_v = by.from_left(own ? m.x.second : m.x.first, inner);
        p.y_v = by.from_right(own ? m.y.second : m.y.first, inner);
        p.b = by.both(negated(own ? m.z.next_mask : m.z.own_mask));
    }
    return p;
}

// What one role has of the sum of all relations, each times a random factor.
struct Verifier::Combined {
    explicit Combined(size_t length) : u(length, WideElement{0}), v(length, WideElement{0}) {}

    WideVector u, v;  // empty of meaning where the role does not know them
    WideElement claim = 0;
    size_t at = 0;    // products done
    size_t wide = 0;  // words of w used
    size_t narrow = 0;
};

void Verifier::combine_groups(Role role, KeyStream& challenge, const HighWords& high,
                              Combined& out) const {
    const Side& side = sides_[role];
    size_t relation = 0;
    RingVector factors;
    for (const Group& group : side.groups) {
        factors.resize(group.count);
        challenge.fill(std::span<uint64_t>(factors));
        const bool is_narrow = group.width == Width::kNarrow;
        for (size_t i = 0; i < group.count; ++i, ++relation) {
            // A narrow relation times 2^48 is one modulo 2^128.
            const WideElement factor = WideElement{factors[i]} << (is_narrow ? 48 : 0);
            for (size_t k = 0; k < group.terms; ++k, ++out.at) {
                if (role != kRight) out.u[out.at] = factor * side.u[out.at];
                if (role != kLeft) out.v[out.at] = side.v[out.at];
            }
            if (role == kProver) continue;
            const Ring local = role == kLeft ? side.a[relation] : side.b[relation];
            const Ring w = is_narrow ? high.narrow[out.narrow++] : high.wide[out.wide++];
            out.claim += factor * ((WideElement{w} << 64) - local);
        }
    }
}

void Verifier::combine_matrix(Role role, KeyStream& challenge, const Projected& p,
                              const HighWords& high, Combined& out) {
    const auto rows = InnerProductCheck<Wide>::draw_challenges(challenge, p.rows);
    const auto cols = InnerProductCheck<Wide>::draw_challenges(challenge, p.cols);
    if (role != kRight) {
        combine_rows(p.x_u, rows, p.inner, &out.u[out.at]);
        combine_columns(p.y_u, cols, p.inner, &out.u[out.at + p.inner]);
    }
    if (role != kLeft) {
        combine_columns(p.y_v, cols, p.inner, &out.v[out.at]);
        combine_rows(p.x_v, rows, p.inner, &out.v[out.at + p.inner]);
    }
    out.at += 2 * p.inner;
    for (size_t r = 0; r < p.rows && role != kProver; ++r) {
        for (size_t c = 0; c < p.cols; ++c) {
            const Ring local = role == kLeft ? p.a[r * p.cols + c] : p.b[r * p.cols + c];
            const Ring w = high.wide[out.wide++];
            out.claim += rows[r] * cols[c] * ((WideElement{w} << 64) - local);
        }
    }
}

void Verifier::check_numbers(Sessions& sessions) {
    constexpr Role kRoles[] = {kProver, kLeft, kRight};
    std::vector<Projected> projected[3];
    if (!matrices_.empty()) {
        auto challenge = sessions.challenge();
        for (Role role : kRoles) {
            for (const MatrixProduct& m : matrices_) {
                projected[role].push_back(project(role, m, *challenge[role]));
            }
        }
    }
    HighWords left_w, right_w;
    exchange_high_words(sessions, projected, left_w, right_w);
    const size_t length = wide_length(projected);
    InnerProductCheck<Wide> inner(sessions, length);
    auto challenge = sessions.challenge();
    Statement<Wide> statement;
    for (Role role : kRoles) {
        const HighWords& high = role == kLeft ? left_w : right_w;
        Combined sum(length);
        combine_groups(role, *challenge[role], high, sum);
        for (const Projected& p : projected[role]) {
            combine_matrix(role, *challenge[role], p, high, sum);
        }
        if (role == kProver) {
            statement.u = std::move(sum.u);
            statement.v = std::move(sum.v);
        } else if (role == kLeft) {
            statement.left_u = std::move(sum.u);
            statement.a = sum.claim;
        } else {
            statement.right_v = std::move(sum.v);
            statement.b = sum.claim;
        }
    }
    inner.run(std::move(statement));
}

void Verifier::check_bits(Sessions& sessions) {
    check_bit_products(sessions, {bits_[kProver].u, bits_[kProver].v, bits_[kLeft].u,
                                  bits_[kLeft].claim, bits_[kRight].v, bits_[kRight].claim});
}

}  // namespace ward::mpc::internal
