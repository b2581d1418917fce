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
// of an error's precision with probability 2^-k at most; one fold is made here (verify.h adds it
// up).
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
#include "ward/mpc/internal/wide_kernels.h"

namespace ward::mpc::internal {

[[noreturn]] inline void fail_check(const char* what) {
    throw Error(ErrorCode::kCorrupt,
                std::string("verification failed: ") + what +
                    "; a party has deviated from the protocol, and nothing is output",
                "do not repeat the job with the same parties before the cause is found");
}

// Z_2^128.
struct Wide {
    using Element = Uint128;
    static constexpr size_t kMaxFolds = 1;
    static constexpr size_t kArity = 16;
    static constexpr size_t kShort = 512;
    static constexpr size_t kChunk = 512;
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
    // out[i] = sum over j of factors[j] pieces[j length + i]; `out` may be `pieces`.
    static void combine(const Element* factors, const Element* pieces, size_t count, size_t length,
                        Element* out) {
        full_fold(factors, pieces, count, length, out);
    }
    // table[j arity + k] = <u_j, v_k>.
    static void table(const Element* u, const Element* v, size_t arity, size_t length,
                      Element* out) {
        full_table(u, v, arity, length, out);
    }
    static Element draw(KeyStream& stream) {
        std::array<uint64_t, 2> words;
        stream.fill(std::span<uint64_t>(words));
        return Element{words[0]} << 64 | words[1];
    }
    // 52 random bits, one limb of the kernels: what matters is that no low bit of a factor is
    // known.
    static Element draw_challenge(KeyStream& stream) {
        std::array<uint64_t, 1> word;
        stream.fill(std::span<uint64_t>(word));
        return word[0] >> (64 - kLimbBits);
    }
};

struct Binary {
    using Element = uint64_t;
    static constexpr size_t kMaxFolds = 64;
    static constexpr size_t kArity = 8;
    static constexpr size_t kShort = 4608;
    static constexpr size_t kChunk = 1024;
    static Element add(Element a, Element b) { return a ^ b; }
    static Element subtract(Element a, Element b) { return a ^ b; }
    static Element multiply(Element a, Element b) { return gf64_multiply(a, b); }
    static Element dot(const Element* a, const Element* b, size_t count) {
        return gf64_dot(a, b, count);
    }
    static void combine(const Element* factors, const Element* pieces, size_t count, size_t length,
                        Element* out) {
        gf64_combine(factors, pieces, count, length, out);
    }
    static void table(const Element* u, const Element* v, size_t arity, size_t length,
                      Element* out) {
        gf64_table(u, v, arity, length, out);
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
    // Values that the two verifiers of a session must have alike, and each knows beforehand if all
    // are honest.
    Vector left_alike, right_alike;

    void reset(size_t length) {
        for (Vector* vector : {&u, &v, &left_u, &right_v}) vector->resize(length);
        left_alike.clear();
        right_alike.clear();
        a = b = {};
    }
};

template <typename R>
class InnerProductCheck {
  public:
    using Element = typename R::Element;
    using Vector = typename Statement<R>::Vector;

    static constexpr size_t kArity = R::kArity;

    // For statements of this length.
    InnerProductCheck(Sessions& sessions, size_t length) : sessions_(sessions) {
        for (; length > R::kShort && folds_ < R::kMaxFolds; ++folds_) {
            length = folded(length);
        }
        alpha_ = draw_vector(sessions.with_left(kProver), length);
        beta_ = draw_vector(sessions.with_right(kProver), length);
        left_alpha_ = draw_vector(sessions.with_left(kLeft), length);
        right_beta_ = draw_vector(sessions.with_right(kRight), length);
        const Element mask = R::draw(sessions.with_left(kProver));
        left_gamma_ = R::draw(sessions.with_left(kLeft));
        gamma_ = {R::subtract(R::dot(alpha_.data(), beta_.data(), length), mask)};
    }
    // Deals the random product: before the last challenge, and the check must stay where it is.
    void deal(Sessions::ToRight& round) { round.add(gamma_, right_gamma_); }

    // Throws Error kCorrupt unless all three statements hold. 2 rounds per fold and 2.
    // `s` is used up; its memory may serve the next statement.
    void run(Statement<R>& s) {
        for (size_t i = 0; i < folds_; ++i) fold(s);
        finish(s);
    }

    // Parts of a table of the prover, masked for the right verifier: what the prover sends, the
    // masks of the session in which this party is on the left, and room for what comes.
    struct Parts {
        Vector own, left, right;
    };
    static Parts mask_table(Sessions& sessions, Vector table) {
        Parts out;
        const Vector mask = draw_vector(sessions.with_left(kProver), table.size());
        for (size_t i = 0; i < table.size(); ++i) table[i] = R::subtract(table[i], mask[i]);
        out.left = draw_vector(sessions.with_left(kLeft), table.size());
        out.right.resize(table.size());
        out.own = std::move(table);
        return out;
    }

    // sum x_j y_k T_jk.
    static Element folded_claim(const Element* table, const Vector& x, const Vector& y) {
        Element out{};
        for (size_t j = 0; j < x.size(); ++j) {
            out = R::add(out, R::multiply(x[j], R::dot(&table[j * y.size()], y.data(), y.size())));
        }
        return out;
    }
    // T_00 = claim less all other T_jj.
    static void set_first(Element* table, size_t arity, Element claim) {
        for (size_t j = 1; j < arity; ++j) claim = R::subtract(claim, table[j * arity + j]);
        table[0] = claim;
    }

    static Vector draw_vector(KeyStream& stream, size_t count) {
        Vector out(count);
        stream.fill(
            std::span<uint8_t>(reinterpret_cast<uint8_t*>(out.data()), count * sizeof(Element)));
        return out;
    }
    static Vector draw_challenges(KeyStream& stream, size_t count) {
        Vector out(count);
        for (Element& value : out) value = R::draw_challenge(stream);
        return out;
    }

  private:
    // In whole registers.
    static size_t folded(size_t length) {
        return ((length + kArity - 1) / kArity + kWideLengthStep - 1) / kWideLengthStep *
               kWideLengthStep;
    }
    // Pieces are interleaved: the first R::kChunk elements of each stand one behind the other, then
    // the next ones, so that memory is read in order and a chunk of all pieces fits in the cache.
    template <typename Function>
    static void for_chunks(size_t length, Function function) {
        for (size_t begin = 0; begin < length; begin += R::kChunk) {
            function(begin, std::min(R::kChunk, length - begin));
        }
    }
    static Vector table(const Vector& u, const Vector& v, size_t length) {
        Vector out(kArity * kArity), part(out.size());
        std::fill(out.begin(), out.end(), Element{});
        for_chunks(length, [&](size_t begin, size_t count) {
            const size_t at = kArity * begin;
            R::table(&u[at], &v[at], kArity, count, part.data());
            for (size_t i = 0; i < out.size(); ++i) out[i] = R::add(out[i], part[i]);
        });
        return out;
    }
    static void combine(Vector& pieces, const Vector& factors, size_t length) {
        for_chunks(length, [&](size_t begin, size_t count) {
            R::combine(factors.data(), &pieces[kArity * begin], kArity, count, &pieces[begin]);
        });
        pieces.resize(length);
    }

    void fold(Statement<R>& s) {
        const size_t length = folded(s.u.size());
        for (Vector* vector : {&s.u, &s.v, &s.left_u, &s.right_v})
            vector->resize(kArity * length, Element{});
        // T_00 follows from the claim; what is sent in its place is not used.
        Parts parts = mask_table(sessions_, table(s.u, s.v, length));
        Sessions::ToRight round(sessions_);
        round.add(parts.own, parts.right);
        round.finish();
        set_first(parts.left.data(), kArity, s.a);
        set_first(parts.right.data(), kArity, s.b);
        KeyStream challenge = sessions_.challenge();
        const Vector x = draw_challenges(challenge, kArity);
        const Vector y = draw_challenges(challenge, kArity);
        for (Vector* vector : {&s.u, &s.left_u}) combine(*vector, x, length);
        for (Vector* vector : {&s.v, &s.right_v}) combine(*vector, y, length);
        s.a = folded_claim(parts.left.data(), x, y);
        s.b = folded_claim(parts.right.data(), x, y);
    }

    static Vector sum(Vector x, const Vector& y) {
        for (size_t i = 0; i < x.size(); ++i) x[i] = R::add(x[i], y[i]);
        return x;
    }
    // Of all challenges and a vector that one verifier sends to the other.
    Bytes digest(const Vector& values) const {
        const RingVector& challenges = sessions_.challenges();
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
        const Bytes u_digest = digest(sum(s.u, alpha_));
        const Bytes v_digest = digest(sum(s.v, beta_));
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
        if (digest(their_u) != their_u_digest || digest(their_v) != their_v_digest) {
            fail_check("prover and verifier disagree on a challenge or an opened vector");
        }
        compare(s, their_u, their_v);
    }

    // Left: a + <alpha, v + beta> - gamma_left; right: <u + alpha, v> + gamma_right - b.
    void compare(const Statement<R>& s, const Vector& their_u, const Vector& their_v) {
        const int self = sessions_.party().index(), next = (self + 1) % 3,
                  previous = (self + 2) % 3;
        const size_t length = alpha_.size();
        Vector as_left = s.left_alike, as_right = s.right_alike;
        as_left.push_back(R::subtract(
            R::add(s.a, R::dot(left_alpha_.data(), their_v.data(), length)), left_gamma_));
        as_right.push_back(R::subtract(
            R::add(R::dot(their_u.data(), s.right_v.data(), length), right_gamma_[0]), s.b));
        Vector from_right(as_left.size()), from_left(as_right.size());
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
    size_t folds_ = 0;
    Vector alpha_, beta_, left_alpha_, right_beta_;
    Vector gamma_, right_gamma_ = Vector(1);
    Element left_gamma_{};
};

}  // namespace ward::mpc::internal
