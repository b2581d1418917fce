#include "ward/he/wire.h"

#include <bit>
#include <cmath>

#include "ward/core/error.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/internal/wire_frame.h"

namespace ward::he {

using internal::fail_corrupt;
using internal::Poly;
using internal::Ring;
using internal::SwitchKeyBody;
using internal::WireKind;
using internal::WireReader;
using internal::WireWriter;

namespace {

constexpr size_t kSeedBytes = 32;

// Bytes of one polynomial over the first data primes, and all special ones.
size_t poly_bytes(const Ring& ring, size_t limbs, bool with_special) {
    size_t total = 0;
    for (size_t i = 0; i < limbs; ++i) total += internal::row_bytes(ring.modulus(i), ring.degree());
    for (size_t i = 0; with_special && i < ring.special_count(); ++i) {
        total += internal::row_bytes(ring.modulus(ring.special(i)), ring.degree());
    }
    return total;
}

size_t prime_of_row(const Ring& ring, size_t limbs, size_t row) {
    return row < limbs ? row : ring.special(row - limbs);
}

void write_poly(const Ring& ring, size_t limbs, const Poly& poly, WireWriter& out) {
    for (size_t row = 0; row < poly.limbs(); ++row) {
        out.row(ring.modulus(prime_of_row(ring, limbs, row)), poly.limb(row), ring.degree());
    }
}

Poly read_poly(const Ring& ring, size_t limbs, size_t rows, WireReader& in) {
    Poly poly(ring.degree(), rows);
    for (size_t row = 0; row < rows; ++row) {
        in.row(ring.modulus(prime_of_row(ring, limbs, row)), poly.limb(row), ring.degree());
    }
    return poly;
}

Poly expand_rows(const Ring& ring, const PublicSeed& seed, size_t limbs) {
    Poly poly(ring.degree(), limbs);
    for (size_t i = 0; i < limbs; ++i) {
        internal::sample_uniform(seed, i, ring.modulus(i), poly.limb(i), ring.degree());
    }
    return poly;
}

size_t read_limbs(const Ring& ring, WireReader& in) {
    const size_t limbs = in.number<uint8_t>();
    if (limbs < 1 || limbs > ring.data_count()) {
        fail_corrupt("the number of primes must be 1.." + std::to_string(ring.data_count()) +
                     ", got " + std::to_string(limbs));
    }
    return limbs;
}

size_t switch_key_bytes(const Ring& ring, size_t limbs) {
    return 8 + kSeedBytes + ring.digit_count(limbs) * poly_bytes(ring, limbs, true);
}

void write_switch_key(const Ring& ring, const SwitchKeyBody& key, WireWriter& out) {
    out.number(static_cast<uint8_t>(key.limbs));
    out.zeros(7);
    out.bytes(key.seed);
    for (const Poly& b : key.b) write_poly(ring, key.limbs, b, out);
}

SwitchKeyBody read_switch_key(const Ring& ring, WireReader& in) {
    SwitchKeyBody key;
    key.limbs = read_limbs(ring, in);
    in.zeros(7);
    if (in.left() < switch_key_bytes(ring, key.limbs) - 8) fail_corrupt("it ends too early");
    key.seed = in.seed();
    const size_t rows = key.limbs + ring.special_count();
    for (size_t digit = 0; digit < ring.digit_count(key.limbs); ++digit) {
        key.b.push_back(read_poly(ring, key.limbs, rows, in));
    }
    internal::expand_switch_key(ring, key);
    return key;
}

}  // namespace

Bytes to_bytes(const Parameters& p) {
    WireWriter out(WireKind::kParameters, "",
                   16 + 8 * (p.data_primes.size() + p.special_primes.size()));
    out.number(static_cast<uint8_t>(p.scheme));
    out.number(static_cast<uint8_t>(p.log_degree));
    out.number(static_cast<uint8_t>(p.digit_primes));
    out.number(static_cast<uint8_t>(p.scale_bits));
    out.number(static_cast<uint8_t>(p.base_primes));
    out.number(static_cast<uint8_t>(p.data_primes.size()));
    out.number(static_cast<uint8_t>(p.special_primes.size()));
    out.number(static_cast<uint8_t>(static_cast<int>(p.security) / 8));
    out.number(p.plaintext_modulus);
    for (uint64_t q : p.data_primes) out.number(q);
    for (uint64_t q : p.special_primes) out.number(q);
    return out.finish();
}

Parameters parameters_from_bytes(ByteView bytes) {
    WireReader in(WireKind::kParameters, "", bytes);
    Parameters p;
    const auto scheme = in.number<uint8_t>();
    if (scheme > 1) fail_corrupt("unknown scheme " + std::to_string(scheme));
    p.scheme = static_cast<Scheme>(scheme);
    p.log_degree = in.number<uint8_t>();
    p.digit_primes = in.number<uint8_t>();
    p.scale_bits = in.number<uint8_t>();
    p.base_primes = in.number<uint8_t>();
    const size_t data = in.number<uint8_t>(), special = in.number<uint8_t>();
    const int security = 8 * in.number<uint8_t>();
    if (security != 128 && security != 192 && security != 256) {
        fail_corrupt("unknown security level " + std::to_string(security));
    }
    p.security = static_cast<SecurityLevel>(security);
    p.plaintext_modulus = in.number<uint64_t>();
    in.expect_left(8 * (data + special));
    for (size_t i = 0; i < data; ++i) p.data_primes.push_back(in.number<uint64_t>());
    for (size_t i = 0; i < special; ++i) p.special_primes.push_back(in.number<uint64_t>());
    return p;
}

SecretBytes to_secret_bytes(const SecretKey& key) {
    const ByteView ternary = key.body().ternary.reveal();
    SecretBytes packed(ternary.size() / 4);
    for (size_t i = 0; i < ternary.size(); ++i) {
        // 0, 1, -1 = 0xff to 0, 1, 2 without a branch.
        const auto code = static_cast<uint8_t>((ternary[i] & 1) + (ternary[i] >> 7));
        packed.reveal_mutable()[i / 4] |= static_cast<uint8_t>(code << (i % 4 * 2));
    }
    WireWriter out(WireKind::kSecretKey, key.context()->id(), packed.size());
    out.bytes(packed.reveal());
    Bytes framed = out.finish();
    SecretBytes result{ByteView(framed)};
    std::fill(framed.begin(), framed.end(), uint8_t{0});
    __asm__ __volatile__("" : : "r"(framed.data()) : "memory");
    return result;
}

SecretKey secret_key_from_bytes(const ContextPtr& context, ByteView bytes) {
    WireReader in(WireKind::kSecretKey, context->id(), bytes);
    in.expect_left(context->degree() / 4);
    const ByteView packed = in.take(in.left());
    SecretBytes ternary(context->degree());
    uint8_t invalid = 0;
    for (size_t i = 0; i < ternary.size(); ++i) {
        const auto code = static_cast<uint8_t>(packed[i / 4] >> (i % 4 * 2) & 3);
        invalid |= static_cast<uint8_t>(code & (code >> 1));
        ternary.reveal_mutable()[i] =
            static_cast<uint8_t>((code & 1) | (uint8_t{0} - static_cast<uint8_t>(code >> 1)));
    }
    if (invalid != 0) fail_corrupt("a coefficient of the secret key is not -1, 0 or 1");
    return SecretKey(internal::make_secret_key(context, std::move(ternary)));
}

Bytes to_bytes(const PublicKey& key) {
    const Ring& ring = key.context()->ring();
    WireWriter out(WireKind::kPublicKey, key.context()->id(),
                   kSeedBytes + poly_bytes(ring, ring.data_count(), false));
    out.bytes(key.body().seed);
    write_poly(ring, ring.data_count(), key.body().b, out);
    return out.finish();
}

PublicKey public_key_from_bytes(const ContextPtr& context, ByteView bytes) {
    const Ring& ring = context->ring();
    WireReader in(WireKind::kPublicKey, context->id(), bytes);
    in.expect_left(kSeedBytes + poly_bytes(ring, ring.data_count(), false));
    auto body = std::make_shared<internal::PublicKeyBody>();
    body->context = context;
    body->seed = in.seed();
    body->b = read_poly(ring, ring.data_count(), ring.data_count(), in);
    body->a = expand_rows(ring, body->seed, ring.data_count());
    return PublicKey(std::move(body));
}

Bytes to_bytes(const RelinKey& key) {
    const Ring& ring = key.context()->ring();
    WireWriter out(WireKind::kRelinKey, key.context()->id(),
                   switch_key_bytes(ring, key.body().limbs));
    write_switch_key(ring, key.body(), out);
    return out.finish();
}

RelinKey relin_key_from_bytes(const ContextPtr& context, ByteView bytes) {
    WireReader in(WireKind::kRelinKey, context->id(), bytes);
    auto body = std::make_shared<SwitchKeyBody>(read_switch_key(context->ring(), in));
    in.expect_left(0);
    return RelinKey(context, std::move(body));
}

Bytes to_bytes(const GaloisKeys& keys) {
    const Ring& ring = keys.context()->ring();
    size_t total = 4;
    for (const auto& [element, key] : keys.all()) {
        total += 4 + switch_key_bytes(ring, key->key.limbs);
    }
    WireWriter out(WireKind::kGaloisKeys, keys.context()->id(), total);
    out.number(static_cast<uint32_t>(keys.size()));
    for (const auto& [element, key] : keys.all()) {
        out.number(static_cast<uint32_t>(element));
        write_switch_key(ring, key->key, out);
    }
    return out.finish();
}

GaloisKeys galois_keys_from_bytes(const ContextPtr& context, ByteView bytes) {
    const Ring& ring = context->ring();
    WireReader in(WireKind::kGaloisKeys, context->id(), bytes);
    const auto count = in.number<uint32_t>();
    GaloisKeys keys(context);
    uint64_t previous = 1;
    for (uint32_t i = 0; i < count; ++i) {
        const uint64_t element = in.number<uint32_t>();
        if (element <= previous || element % 2 == 0 || element >= 2 * ring.degree()) {
            fail_corrupt("Galois elements must be odd, rising, above 1 and below 2N");
        }
        previous = element;
        auto body = std::make_shared<internal::GaloisKeyBody>();
        body->key = read_switch_key(ring, in);
        body->places = internal::automorphism_places(ring.log_degree(), element);
        keys.insert(element, std::move(body));
    }
    in.expect_left(0);
    return keys;
}

Bytes to_bytes(const Ciphertext& ciphertext) {
    const internal::CiphertextBody& body = ciphertext.body();
    const Ring& ring = body.context->ring();
    const bool seeded = body.seed.has_value();
    const size_t sent = body.parts.size() - (seeded ? 1 : 0);
    WireWriter out(WireKind::kCiphertext, body.context->id(),
                   32 + (seeded ? kSeedBytes : 0) + sent * poly_bytes(ring, body.limbs(), false));
    out.number(static_cast<uint8_t>(body.limbs()));
    out.number(static_cast<uint8_t>(body.parts.size()));
    out.number(static_cast<uint8_t>(seeded ? 1 : 0));
    out.zeros(1);
    out.number(static_cast<uint32_t>(body.slots));
    out.number(body.scale);
    out.number(body.value_bound);
    out.number(body.error_bound);
    if (seeded) out.bytes(*body.seed);
    for (size_t i = 0; i < body.parts.size(); ++i) {
        if (!(seeded && i == 1)) write_poly(ring, body.limbs(), body.parts[i], out);
    }
    return out.finish();
}

namespace {

void check_ciphertext_fields(const Context& context, const internal::CiphertextBody& body) {
    const bool ckks = context.parameters().scheme == Scheme::kCkks;
    const auto bound_is_good = [](double x) { return std::isfinite(x) && x >= 0; };
    if (!bound_is_good(body.value_bound) || !bound_is_good(body.error_bound)) {
        fail_corrupt("bounds must be finite and not negative");
    }
    const bool slots_are_good =
        ckks ? std::has_single_bit(body.slots) && body.slots <= context.slots() : body.slots == 0;
    if (!slots_are_good) fail_corrupt("the number of slots is not possible");
    const bool scale_is_good = ckks ? body.scale >= 0x1p-200 && body.scale <= 0x1p200
                                    : body.scale == 1 && body.value_bound == 0;
    if (!scale_is_good) fail_corrupt("the scale is not possible");
    if (!ckks && body.error_bound >= 0.5) fail_corrupt("the noise is over its budget");
}

}  // namespace

Ciphertext ciphertext_from_bytes(const ContextPtr& context, ByteView bytes) {
    const Ring& ring = context->ring();
    WireReader in(WireKind::kCiphertext, context->id(), bytes);
    auto body = std::make_shared<internal::CiphertextBody>();
    body->context = context;
    const size_t limbs = read_limbs(ring, in);
    if (limbs < static_cast<size_t>(context->parameters().base_primes)) {
        fail_corrupt("it has fewer primes than the base");
    }
    const size_t parts = in.number<uint8_t>();
    const auto seeded = in.number<uint8_t>();
    if (parts < 2 || parts > 3 || seeded > 1 || (seeded == 1 && parts != 2)) {
        fail_corrupt("the number of polynomials is not possible");
    }
    in.zeros(1);
    body->slots = in.number<uint32_t>();
    body->scale = in.number<double>();
    body->value_bound = in.number<double>();
    body->error_bound = in.number<double>();
    check_ciphertext_fields(*context, *body);
    const size_t sent = parts - seeded;
    in.expect_left((seeded == 1 ? kSeedBytes : 0) + sent * poly_bytes(ring, limbs, false));
    if (seeded == 1) body->seed = in.seed();
    for (size_t i = 0; i < sent; ++i) body->parts.push_back(read_poly(ring, limbs, limbs, in));
    if (seeded == 1) body->parts.push_back(expand_rows(ring, *body->seed, limbs));
    return Ciphertext(std::move(body));
}

}  // namespace ward::he
