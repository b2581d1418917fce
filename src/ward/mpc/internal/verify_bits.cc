#include "ward/mpc/internal/verify_bits.h"

#include <algorithm>
#include <array>

#include "ward/mpc/internal/gf64.h"
#include "ward/mpc/internal/inner_product.h"

namespace ward::mpc::internal {
namespace {

constexpr size_t kBytes = 8;  // of a word
constexpr size_t kBits = 8;   // of a byte
using Check = InnerProductCheck<Binary>;
using Vector = Check::Vector;
using ByteTable = std::array<uint64_t, 256>;

uint8_t byte_of(Ring word, size_t b) { return static_cast<uint8_t>(word >> (8 * b)); }

// table[byte] = sum of the factors of its bits.
ByteTable sums_of_bits(const Vector& factors) {
    ByteTable out{};
    for (size_t byte = 1; byte < out.size(); ++byte) {
        const auto low = static_cast<size_t>(__builtin_ctzll(byte));
        out[byte] = out[byte & (byte - 1)] ^ factors[low];
    }
    return out;
}

// The random factors of one session.
struct Factors {
    Factors(KeyStream& stream, size_t relations)
        : of_relation(Check::draw_challenges(stream, relations)),
          of_byte(Check::draw_challenges(stream, kBytes)),
          of_bit(Check::draw_challenges(stream, kBits)) {}

    uint64_t claim(const RingVector& words) const {
        const ByteTable table = sums_of_bits(of_bit);
        Vector sums(words.size());
        Vector in_bytes(kBytes);
        for (size_t i = 0; i < words.size(); ++i) {
            for (size_t b = 0; b < kBytes; ++b) in_bytes[b] = table[byte_of(words[i], b)];
            sums[i] = gf64_dot(in_bytes.data(), of_byte.data(), kBytes);
        }
        return gf64_dot(sums.data(), of_relation.data(), sums.size());
    }

    Vector of_relation, of_byte, of_bit;
};

// T_jk = s_j times the sum of the factors of all bytes with bit j in u and bit k in v.
Vector table_of_bits(const Factors& factors, const RingVector& u, const RingVector& v) {
    Vector by_bytes(256 * 256, 0);
    std::array<uint64_t, kBytes> factor;
    for (size_t i = 0; i < factors.of_relation.size(); ++i) {
        factor.fill(factors.of_relation[i]);
        gf64_scale_each(factors.of_byte.data(), factor.data(), kBytes);
        for (size_t w = 2 * i; w < 2 * i + 2; ++w) {
            for (size_t b = 0; b < kBytes; ++b) {
                by_bytes[size_t{byte_of(u[w], b)} * 256 + byte_of(v[w], b)] ^= factor[b];
            }
        }
    }
    Vector out(kBits * kBits);
    for (size_t j = 0; j < kBits; ++j) {
        ByteTable by_v{};
        for (size_t byte = 0; byte < 256; ++byte) {
            if ((byte >> j & 1) == 0) continue;
            for (size_t k = 0; k < 256; ++k) by_v[k] ^= by_bytes[byte * 256 + k];
        }
        for (size_t k = 0; k < kBits; ++k) {
            uint64_t sum = 0;
            for (size_t byte = 0; byte < 256; ++byte) sum ^= (byte >> k & 1) != 0 ? by_v[byte] : 0;
            out[j * kBits + k] = gf64_multiply(factors.of_bit[j], sum);
        }
    }
    return out;
}

// The vector after the first fold, made anew where it is needed: 16 elements per relation, which
// would take 64 times the memory of its bits.
class FoldedBits {
  public:
    // v: the folded bits alone.
    FoldedBits(const RingVector& words, const Vector& y) : words_(words) {
        tables_.fill(sums_of_bits(y));
    }
    // u: with their factors.
    FoldedBits(const RingVector& words, const Vector& x, const Factors& factors)
        : words_(words), of_relation_(&factors.of_relation) {
        Vector scaled = factors.of_bit;
        gf64_scale_each(x.data(), scaled.data(), kBits);
        const ByteTable table = sums_of_bits(scaled);
        for (size_t b = 0; b < kBytes; ++b) {
            tables_[b].fill(0);
            gf64_add_multiple(factors.of_byte[b], table.data(), tables_[b].data(), table.size());
        }
    }

    size_t relations() const { return words_.size() / 2; }

    // Elements of `count` relations; zeros behind the last one.
    void read(size_t relation, size_t count, uint64_t* out) const {
        for (size_t i = relation; i < relation + count; ++i, out += kPerRelation) {
            if (i >= relations()) {
                std::fill_n(out, kPerRelation, 0);
                continue;
            }
            for (size_t k = 0; k < kPerRelation; ++k) {
                out[k] = tables_[k % kBytes][byte_of(words_[2 * i + k / kBytes], k % kBytes)];
            }
            if (of_relation_ != nullptr) gf64_scale((*of_relation_)[i], out, kPerRelation);
        }
    }

    static constexpr size_t kPerRelation = 2 * kBytes;

  private:
    const RingVector& words_;
    const Vector* of_relation_ = nullptr;
    std::array<ByteTable, kBytes> tables_;
};

constexpr size_t kPieces = 4;  // of the second fold
constexpr size_t kBlock = 64;  // relations at a time
constexpr size_t kBlockElements = kBlock * FoldedBits::kPerRelation;

size_t piece_of(size_t relations) { return (relations + kPieces - 1) / kPieces; }

void read_pieces(const FoldedBits& bits, size_t at, size_t count, Vector& out) {
    for (size_t j = 0; j < kPieces; ++j) {
        bits.read(j * piece_of(bits.relations()) + at, count, &out[j * kBlockElements]);
    }
}

Vector table_of_pieces(const FoldedBits& u, const FoldedBits& v) {
    Vector out(kPieces * kPieces, 0), left(kPieces * kBlockElements), right(left.size());
    const size_t piece = piece_of(u.relations());
    for (size_t at = 0; at < piece; at += kBlock) {
        const size_t count = std::min(kBlock, piece - at);
        read_pieces(u, at, count, left);
        read_pieces(v, at, count, right);
        for (size_t j = 0; j < kPieces; ++j) {
            for (size_t k = 0; k < kPieces; ++k) {
                out[j * kPieces + k] ^=
                    gf64_dot(&left[j * kBlockElements], &right[k * kBlockElements],
                             count * FoldedBits::kPerRelation);
            }
        }
    }
    return out;
}

Vector sum_of_pieces(const FoldedBits& bits, const Vector& factors) {
    const size_t piece = piece_of(bits.relations());
    Vector out(piece * FoldedBits::kPerRelation, 0), block(kPieces * kBlockElements);
    for (size_t at = 0; at < piece; at += kBlock) {
        const size_t count = std::min(kBlock, piece - at);
        read_pieces(bits, at, count, block);
        for (size_t j = 0; j < kPieces; ++j) {
            gf64_add_multiple(factors[j], &block[j * kBlockElements],
                              &out[at * FoldedBits::kPerRelation],
                              count * FoldedBits::kPerRelation);
        }
    }
    return out;
}

}  // namespace

void check_bit_products(Sessions& sessions, const BitProducts& bits) {
    const size_t relations = bits.left_claim.size();
    Check check(sessions, piece_of(relations) * FoldedBits::kPerRelation);
    auto challenge = sessions.challenge();
    const Factors own(*challenge[kProver], relations), left(*challenge[kLeft], relations),
        right(*challenge[kRight], relations);
    Check::Parts parts = Check::exchange_table(sessions, table_of_bits(own, bits.u, bits.v));
    challenge = sessions.challenge();
    std::array<Vector, 3> x, y;
    const auto draw = [&](size_t arity) {
        for (Role role : {kProver, kLeft, kRight}) {
            x[role] = Check::draw_challenges(*challenge[role], arity);
            y[role] = Check::draw_challenges(*challenge[role], arity);
        }
    };
    draw(kBits);
    const FoldedBits own_u(bits.u, x[kProver], own), own_v(bits.v, y[kProver]),
        left_u(bits.left_u, x[kLeft], left), right_v(bits.right_v, y[kRight]);
    Statement<Binary> statement;
    statement.a = Check::folded_claim(left.claim(bits.left_claim), parts.left, x[kLeft], y[kLeft]);
    statement.b =
        Check::folded_claim(right.claim(bits.right_claim), parts.right, x[kRight], y[kRight]);
    parts = Check::exchange_table(sessions, table_of_pieces(own_u, own_v));
    challenge = sessions.challenge();
    draw(kPieces);
    statement.u = sum_of_pieces(own_u, x[kProver]);
    statement.v = sum_of_pieces(own_v, y[kProver]);
    statement.left_u = sum_of_pieces(left_u, x[kLeft]);
    statement.a = Check::folded_claim(statement.a, parts.left, x[kLeft], y[kLeft]);
    statement.right_v = sum_of_pieces(right_v, y[kRight]);
    statement.b = Check::folded_claim(statement.b, parts.right, x[kRight], y[kRight]);
    check.run(std::move(statement));
}

}  // namespace ward::mpc::internal
