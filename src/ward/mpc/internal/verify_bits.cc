#include "ward/mpc/internal/verify_bits.h"

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

    // Of the bytes of every word, two words per relation.
    Vector of_every_byte() const {
        Vector out(of_relation.size() * 2 * kBytes);
        for (size_t i = 0; i < of_relation.size(); ++i) {
            uint64_t* first = &out[i * 2 * kBytes];
            for (size_t b = 0; b < kBytes; ++b) first[b] = of_relation[i];
            gf64_scale_each(of_byte.data(), first, kBytes);
            for (size_t b = 0; b < kBytes; ++b) first[kBytes + b] = first[b];
        }
        return out;
    }

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
Vector table_of_bits(const Factors& factors, const Vector& every_byte, const RingVector& u,
                     const RingVector& v) {
    Vector by_bytes(256 * 256);
    for (size_t w = 0; w < u.size(); ++w) {
        for (size_t b = 0; b < kBytes; ++b) {
            by_bytes[size_t{byte_of(u[w], b)} * 256 + byte_of(v[w], b)] ^=
                every_byte[w * kBytes + b];
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

Vector look_up(const RingVector& words, const ByteTable& table) {
    Vector out(words.size() * kBytes);
    for (size_t w = 0; w < words.size(); ++w) {
        for (size_t b = 0; b < kBytes; ++b) out[w * kBytes + b] = table[byte_of(words[w], b)];
    }
    return out;
}

Vector folded_u(const RingVector& words, const Factors& factors, const Vector& x,
                const Vector& every_byte) {
    Vector scaled = factors.of_bit;
    gf64_scale_each(x.data(), scaled.data(), kBits);
    Vector out = look_up(words, sums_of_bits(scaled));
    gf64_scale_each(every_byte.data(), out.data(), out.size());
    return out;
}

}  // namespace

void check_bit_products(Sessions& sessions, const BitProducts& bits) {
    const size_t relations = bits.left_claim.size();
    Check check(sessions, bits.u.size() * kBytes);
    auto challenge = sessions.challenge();
    const Factors own(*challenge[kProver], relations), left(*challenge[kLeft], relations),
        right(*challenge[kRight], relations);
    const Vector own_bytes = own.of_every_byte();
    const Check::Parts parts =
        Check::exchange_table(sessions, table_of_bits(own, own_bytes, bits.u, bits.v));
    challenge = sessions.challenge();
    Statement<Binary> statement;
    for (Role role : {kProver, kLeft, kRight}) {
        const Vector x = Check::draw_challenges(*challenge[role], kBits);
        const Vector y = Check::draw_challenges(*challenge[role], kBits);
        if (role == kProver) {
            statement.u = folded_u(bits.u, own, x, own_bytes);
            statement.v = look_up(bits.v, sums_of_bits(y));
        } else if (role == kLeft) {
            statement.left_u = folded_u(bits.left_u, left, x, left.of_every_byte());
            statement.a = Check::folded_claim(left.claim(bits.left_claim), parts.left, x, y);
        } else {
            statement.right_v = look_up(bits.right_v, sums_of_bits(y));
            statement.b = Check::folded_claim(right.claim(bits.right_claim), parts.right, x, y);
        }
    }
    check.run(std::move(statement));
}

}  // namespace ward::mpc::internal
