// Proof of an inner product <u, v> = a + b to two verifiers, without telling them anything: the
// prover knows u and v, the left verifier u and a, the right one v and b.
//
// Folding (Boneh, Boyle, Corrigan-Gibbs, Gilboa, Ishai, CRYPTO 2019, in the form of Bootle et al.
// for inner products): cut u and v into g pieces, send T_jk = <u_j, v_k> as sums of two parts, one
// for each verifier, and go on with sum x_j u_j and sum y_k v_k for random x, y, whose product
// is sum x_j y_k T_jk. The short rest is checked by a product of random vectors, <alpha, beta> =
// gamma, that the prover dealt before the last challenge: left sends u + alpha, right v + beta,
// each confirmed by a digest from the prover, which also covers the challenges, so that neither
// verifier can cheat the other or the prover; both then compare one number that follows from what
// each knows already.
//
// Fields lose nothing by folding. In Z_2^128 a factor may be even, so every challenge loses k bits
// of an error's precision with probability 2^-k at most; at most two folds are made there
// (verify.h adds it up).
//
// Every message of the prover is masked by a key that its receiver lacks; one of a verifier by
// alpha or beta, which the other lacks.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/mpc/internal/gf64.h"
#include "ward/mpc/internal/sessions.h"

namespace ward::mpc::internal {

[[noreturn]] inline void fail_check(const char* what) {
    throw Error(ErrorCode::kCorrupt,
                std::string("verification failed: ") + what +
                    "; a party has deviated from the protocol, and nothing is output",
                "do not repeat the job with the same parties before the cause is found");
}

__extension__ using Uint128 = unsigned __int128;

// Z_2^128.
struct Wide {
    using Element = Uint128;
    static constexpr size_t kMaxFolds = 2;
    static constexpr size_t kShort = 256;
    static Element add(Element a, Element b) { return a + b; }
    static Element subtract(Element a, Element b) { return a - b; }
    static Element multiply(Element a, Element b) { return a * b; }
    static Element dot(const Element* a, const Element* b, size_t count) {
        Element even = 0, odd = 0;
        size_t i = 0;
        for (; i + 2 <= count; i += 2) {
            even += a[i] * b[i];
            odd += a[i + 1] * b[i + 1];
        }
        return even + odd + (i < count ? a[i] * b[i] : 0);
    }
    static void add_multiple(Element factor, const Element* a, Element* out, size_t count) {
        for (size_t i = 0; i < count; ++i) out[i] += factor * a[i];
    }
    static Element draw(KeyStream& stream) {
        std::array<uint64_t, 2> words;
        stream.fill(std::span<uint64_t>(words));
        return Element{words[0]} << 64 | words[1];
    }
    // 64 random bits: what matters is that no low bit of a factor is known.
    static Element draw_challenge(KeyStream& stream) {
        std::array<uint64_t, 1> word;
        stream.fill(std::span<uint64_t>(word));
        return word[0];
    }
};

struct Binary {
    using Element = uint64_t;
    static constexpr size_t kMaxFolds = 64;
    static constexpr size_t kShort = 64;
    static Element add(Element a, Element b) { return a ^ b; }
    static Element subtract(Element a, Element b) { return a ^ b; }
    static Element multiply(Element a, Element b) { return gf64_multiply(a, b); }
    static Element dot(const Element* a, const Element* b, size_t count) {
        return gf64_dot(a, b, count);
    }
    static void add_multiple(Element factor, const Element* a, Element* out, size_t count) {
        gf64_add_multiple(factor, a, out, count);
    }
    static Element draw(KeyStream& stream) {
        std::array<uint64_t, 1> word;
        stream.fill(std::span<uint64_t>(word));
        return word[0];
    }
    static Element draw_challenge(KeyStream& stream) { return draw(stream); }
};

// What a party has of the three sessions; all vectors have the same length.
template <typename R>
struct Statement {
    using Vector = std::vector<typename R::Element, UnsetAllocator<typename R::Element>>;
    Vector u, v;                   // as the prover
    Vector left_u, right_v;        // as a verifier
    typename R::Element a{}, b{};  // as the left and as the right verifier
};

template <typename R>
class InnerProductCheck {
  public:
    using Element = typename R::Element;
    using Vector = typename Statement<R>::Vector;

    // Deals the random product; must come before the last challenge. 1 round.
    InnerProductCheck(Sessions& sessions, size_t length) : sessions_(sessions) {
        while (length > R::kShort && arities_.size() < R::kMaxFolds) {
            arities_.push_back(R::kMaxFolds == 2 ? (arities_.empty() ? 4 : 16) : 4);
            length = (length + arities_.back() - 1) / arities_.back();
        }
        alpha_ = draw_vector(sessions.with_left(kProver), length);
        beta_ = draw_vector(sessions.with_right(kProver), length);
        left_alpha_ = draw_vector(sessions.with_left(kLeft), length);
        right_beta_ = draw_vector(sessions.with_right(kRight), length);
        const Element mask = R::draw(sessions.with_left(kProver));
        left_gamma_ = R::draw(sessions.with_left(kLeft));
        const Vector own = {R::subtract(R::dot(alpha_.data(), beta_.data(), length), mask)};
        Vector received(1);
        sessions.send_right(own, received);
        right_gamma_ = received[0];
    }

    // Throws Error kCorrupt unless all three statements hold. 2 rounds per fold and 2.
    void run(Statement<R> s) {
        for (size_t arity : arities_) fold(s, arity);
        finish(s);
    }

    // Parts of sum x_j y_k T_jk, where T_00 follows from the claim: the sum of all T_jj.
    static Element folded_claim(Element claim, Vector parts, const Vector& x, const Vector& y) {
        const size_t arity = x.size();
        parts.insert(parts.begin(), claim);
        for (size_t j = 1; j < arity; ++j) {
            parts[0] = R::subtract(parts[0], parts[j * arity + j]);
        }
        Element out{};
        for (size_t j = 0; j < arity; ++j) {
            out = R::add(out, R::multiply(x[j], R::dot(&parts[j * arity], y.data(), arity)));
        }
        return out;
    }

    // The prover's table without T_00, masked for the right verifier; and the masks and what came.
    struct Parts {
        Vector left, right;
    };
    static Parts exchange_table(Sessions& sessions, const Vector& table) {
        Parts out;
        Vector own(table.size() - 1);
        for (size_t i = 0; i < own.size(); ++i) {
            own[i] = R::subtract(table[i + 1], R::draw(sessions.with_left(kProver)));
        }
        out.left = draw_vector(sessions.with_left(kLeft), own.size());
        out.right.resize(own.size());
        sessions.send_right(own, out.right);
        return out;
    }

    static Vector draw_vector(KeyStream& stream, size_t count) {
        Vector out(count);
        for (Element& value : out) value = R::draw(stream);
        return out;
    }
    static Vector draw_challenges(KeyStream& stream, size_t count) {
        Vector out(count);
        for (Element& value : out) value = R::draw_challenge(stream);
        return out;
    }

  private:
    static Vector combine(const Vector& pieces, const Vector& factors, size_t length) {
        Vector out(length, Element{});
        for (size_t j = 0; j < factors.size(); ++j) {
            R::add_multiple(factors[j], &pieces[j * length], out.data(), length);
        }
        return out;
    }

    void fold(Statement<R>& s, size_t arity) {
        const size_t length = (s.u.size() + arity - 1) / arity;
        for (Vector* vector : {&s.u, &s.v, &s.left_u, &s.right_v})
            vector->resize(arity * length, Element{});
        Vector table(arity * arity);
        for (size_t j = 0; j < arity; ++j) {
            for (size_t k = 0; k < arity; ++k) {
                table[j * arity + k] = R::dot(&s.u[j * length], &s.v[k * length], length);
            }
        }
        const Parts parts = exchange_table(sessions_, table);
        auto challenge = sessions_.challenge();
        for (Role role : {kProver, kLeft, kRight}) {
            const Vector x = draw_challenges(*challenge[role], arity);
            const Vector y = draw_challenges(*challenge[role], arity);
            if (role == kProver) {
                s.u = combine(s.u, x, length);
                s.v = combine(s.v, y, length);
            } else if (role == kLeft) {
                s.left_u = combine(s.left_u, x, length);
                s.a = folded_claim(s.a, parts.left, x, y);
            } else {
                s.right_v = combine(s.right_v, y, length);
                s.b = folded_claim(s.b, parts.right, x, y);
            }
        }
    }

    static Vector sum(Vector x, const Vector& y) {
        for (size_t i = 0; i < x.size(); ++i) x[i] = R::add(x[i], y[i]);
        return x;
    }
    // Of the challenges of a session and a vector that one verifier sends to the other.
    Bytes digest(Role role, const Vector& values) const {
        const RingVector& challenges = sessions_.challenges(role);
        Sha256 hash;
        hash.update(ByteView(reinterpret_cast<const uint8_t*>(challenges.data()),
                             challenges.size() * sizeof(Ring)));
        hash.update(ByteView(reinterpret_cast<const uint8_t*>(values.data()),
                             values.size() * sizeof(Element)));
        const std::string text = hash.hex();
        return {text.begin(), text.end()};
    }

    void finish(const Statement<R>& s) {
        const int self = sessions_.party().index(), next = (self + 1) % 3,
                  previous = (self + 2) % 3;
        const size_t length = alpha_.size();
        // To the other verifier of each session; and, as the prover, digests of what they send.
        const Vector masked_u = sum(s.left_u, left_alpha_), masked_v = sum(s.right_v, right_beta_);
        const Bytes u_digest = digest(kProver, sum(s.u, alpha_));
        const Bytes v_digest = digest(kProver, sum(s.v, beta_));
        Vector their_u(length), their_v(length);
        Bytes their_u_digest(u_digest.size()), their_v_digest(v_digest.size());
        {
            Party::Round round(sessions_.party());
            round.send(previous, masked_u);  // session of the next party: its right is our previous
            round.send(next, masked_v);
            round.send(next, u_digest);
            round.send(previous, v_digest);
            round.receive(next, their_u);
            round.receive(previous, their_v);
            round.receive(previous, their_u_digest);
            round.receive(next, their_v_digest);
            round.finish();
        }
        if (digest(kRight, their_u) != their_u_digest || digest(kLeft, their_v) != their_v_digest) {
            fail_check("prover and verifier disagree on a challenge or an opened vector");
        }
        compare(s, their_u, their_v);
    }

    // Left: a + <alpha, v + beta> - gamma_left; right: <u + alpha, v> + gamma_right - b.
    void compare(const Statement<R>& s, const Vector& their_u, const Vector& their_v) {
        const int self = sessions_.party().index(), next = (self + 1) % 3,
                  previous = (self + 2) % 3;
        const size_t length = alpha_.size();
        const Vector as_left = {R::subtract(
            R::add(s.a, R::dot(left_alpha_.data(), their_v.data(), length)), left_gamma_)};
        const Vector as_right = {R::subtract(
            R::add(R::dot(their_u.data(), s.right_v.data(), length), right_gamma_), s.b)};
        Vector from_right(1), from_left(1);
        Party::Round round(sessions_.party());
        round.send(previous, as_left);
        round.send(next, as_right);
        round.receive(previous, from_right);
        round.receive(next, from_left);
        round.finish();
        if (from_right != as_left || from_left != as_right) {
            fail_check("a product of shares is not what the shares give");
        }
    }

    Sessions& sessions_;
    std::vector<size_t> arities_;
    Vector alpha_, beta_, left_alpha_, right_beta_;
    Element left_gamma_{}, right_gamma_{};
};

}  // namespace ward::mpc::internal
