#include "ward/he/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/bfv.h"
#include "ward/he/ckks.h"
#include "ward/he/internal/wire_frame.h"
#include "ward/he/testing/small_parameters.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;

struct World {
    World()
        : random(seeded_random(9)),
          context(Context::create_insecure(testonly::small_ckks(6, 2, 40, 2))),
          secret(SecretKey::generate(context, random)),
          encoder(context),
          evaluator(context) {
        for (int i = 0; i < 32; ++i) values.push_back(std::sin(i));
        message.emplace(encoder.encode(values, {.bound = 1.0}));
    }

    void expect(const SecretKey& key, const Ciphertext& c, const std::vector<double>& expected) {
        const auto got = encoder.decode(decrypt_for_owner(key, c));
        for (size_t i = 0; i < expected.size(); ++i) {
            EXPECT_NEAR(got[i], expected[i], c.error_bound());
        }
    }

    Random random;
    ContextPtr context;
    SecretKey secret;
    CkksEncoder encoder;
    CkksEvaluator evaluator;
    std::vector<double> values;
    std::optional<Plaintext> message;
};

// The digest made right again after a change: what is tested is the check behind it.
Bytes with_digest(Bytes bytes) {
    const std::string hex = sha256_hex(ByteView(bytes).first(bytes.size() - 32));
    for (size_t i = 0; i < 32; ++i) {
        bytes[bytes.size() - 32 + i] =
            static_cast<uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
    }
    return bytes;
}

TEST(Wire, PackedRowsComeBack) {
    Random random = seeded_random(1);
    for (uint64_t q : {uint64_t{3}, uint64_t{97}, (uint64_t{1} << 31) + 1, (uint64_t{1} << 32) + 1,
                       (uint64_t{1} << 49) - 1}) {
        const internal::Modulus modulus(q);
        constexpr size_t n = 32;
        std::vector<uint64_t> in(n), out(n);
        for (uint64_t& x : in) x = random.below(q);
        in[0] = q - 1;
        internal::WireWriter writer(internal::WireKind::kParameters, "",
                                    internal::row_bytes(modulus, n));
        writer.row(modulus, in.data(), n);
        const Bytes bytes = writer.finish();
        internal::WireReader reader(internal::WireKind::kParameters, "", bytes);
        reader.row(modulus, out.data(), n);
        EXPECT_EQ(out, in);
        EXPECT_EQ(reader.left(), 0u);
    }
}

TEST(Wire, ParametersComeBack) {
    for (const Parameters& p :
         {testonly::small_ckks(6, 2), testonly::small_bfv(5, 3), ckks_parameters({.depth = 3})}) {
        EXPECT_EQ(parameters_from_bytes(to_bytes(p)), p);
    }
}

TEST(Wire, KeysAndCiphertextsWorkAfterTheJourney) {
    World w;
    const SecretKey secret = secret_key_from_bytes(w.context, to_secret_bytes(w.secret).reveal());
    const PublicKey key =
        public_key_from_bytes(w.context, to_bytes(PublicKey::generate(w.secret, w.random)));
    const RelinKey relin =
        relin_key_from_bytes(w.context, to_bytes(RelinKey::generate(w.secret, w.random)));
    const GaloisKeys keys = galois_keys_from_bytes(
        w.context,
        to_bytes(GaloisKeys::generate(w.secret, std::vector<int>{1, 7}, true, w.random, 1)));
    EXPECT_EQ(keys.size(), 3u);
    const Ciphertext fresh = encrypt(key, *w.message, w.random);
    const Ciphertext x = ciphertext_from_bytes(w.context, to_bytes(fresh));
    EXPECT_EQ(x.error_bound(), fresh.error_bound());
    EXPECT_EQ(x.scale(), fresh.scale());
    w.expect(secret, x, w.values);
    std::vector<double> squares, rotated;
    for (size_t i = 0; i < 32; ++i) {
        squares.push_back(w.values[i] * w.values[i]);
        rotated.push_back(w.values[(i + 7) % 32]);
    }
    const Ciphertext product = w.evaluator.multiply(x, x);
    w.expect(secret, ciphertext_from_bytes(w.context, to_bytes(product)), squares);
    w.expect(secret, w.evaluator.multiply(x, x, relin), squares);
    w.expect(secret, w.evaluator.rotate(w.evaluator.drop_to_level(x, 1), 7, keys), rotated);
}

TEST(Wire, SeededCiphertextsTakeHalf) {
    World w;
    const Ciphertext x = encrypt(w.secret, *w.message, w.random);
    const Bytes seeded = to_bytes(x), full = to_bytes(w.evaluator.negate(x));
    // 49 + 40 + 40 bits, of which primes just above 2^40 take 41.
    size_t row = 0;
    for (uint64_t q : w.context->parameters().data_primes) {
        row += 64 / 8 * static_cast<size_t>(std::bit_width(q));
    }
    EXPECT_EQ(full.size(), 40 + 32 + 2 * row + 32);
    EXPECT_EQ(seeded.size(), 40 + 32 + 32 + row + 32);
    w.expect(w.secret, ciphertext_from_bytes(w.context, seeded), w.values);
    const Ciphertext low = w.evaluator.drop_to_level(x, 0);
    w.expect(w.secret, ciphertext_from_bytes(w.context, to_bytes(low)), w.values);
    EXPECT_LT(to_bytes(low).size(), seeded.size() / 2);
}

TEST(Wire, BfvObjectsComeBack) {
    Random random = seeded_random(4);
    const auto context = Context::create_insecure(testonly::small_bfv(5, 3));
    const SecretKey secret = SecretKey::generate(context, random);
    const BfvEncoder encoder(context);
    const std::vector<int64_t> values(32, -5);
    const Ciphertext x = encrypt(secret, encoder.encode(values), random);
    const Ciphertext y = ciphertext_from_bytes(context, to_bytes(x));
    EXPECT_EQ(encoder.decode(decrypt_for_owner(secret, y)), values);
}

TEST(Wire, EveryCutAndEveryFlippedBitIsRefused) {
    World w;
    const Bytes good = to_bytes(encrypt(w.secret, *w.message, w.random));
    for (size_t size = 0; size < good.size(); ++size) {
        EXPECT_THROW(ciphertext_from_bytes(w.context, ByteView(good).first(size)), Error);
    }
    for (size_t i = 0; i < good.size(); ++i) {
        Bytes bad = good;
        bad[i] ^= static_cast<uint8_t>(1 << (i % 8));
        EXPECT_THROW(ciphertext_from_bytes(w.context, bad), Error) << i;
    }
    Bytes longer = good;
    longer.push_back(0);
    EXPECT_THROW(ciphertext_from_bytes(w.context, longer), Error);
}

TEST(Wire, HostileFieldsAreRefused) {
    World w;
    const Bytes good = to_bytes(encrypt(w.secret, *w.message, w.random));
    const auto refusal = [&](auto change) {
        Bytes bad = good;
        change(bad);
        bad = with_digest(bad);
        return any_message_of([&] { ciphertext_from_bytes(w.context, bad); });
    };
    const auto set_double = [](Bytes& b, size_t at, double x) { std::memcpy(&b[at], &x, 8); };
    EXPECT_EQ(refusal([](Bytes&) {}), "no error");
    EXPECT_THAT(refusal([](Bytes& b) { b[7] = '2'; }), HasSubstr("another version"));
    EXPECT_THAT(refusal([](Bytes& b) { b[8] = 3; }), HasSubstr("of kind 3, expected 6"));
    EXPECT_THAT(refusal([](Bytes& b) { b[9] = 1; }), HasSubstr("reserved"));
    EXPECT_THAT(refusal([](Bytes& b) { b[16] ^= 1; }), HasSubstr("other parameters"));
    EXPECT_THAT(refusal([](Bytes& b) { b[40] = 0; }), HasSubstr("number of primes"));
    EXPECT_THAT(refusal([](Bytes& b) { b[40] = 255; }), HasSubstr("number of primes"));
    EXPECT_THAT(refusal([](Bytes& b) { b[40] = 2; }), HasSubstr("bytes of data, expected"));
    EXPECT_THAT(refusal([](Bytes& b) { b[41] = 200; }), HasSubstr("number of polynomials"));
    EXPECT_THAT(refusal([](Bytes& b) { b[42] = 2; }), HasSubstr("number of polynomials"));
    EXPECT_THAT(refusal([](Bytes& b) { b[44] = 3; }), HasSubstr("slots"));
    EXPECT_THAT(refusal([&](Bytes& b) { set_double(b, 48, NAN); }), HasSubstr("scale"));
    EXPECT_THAT(refusal([&](Bytes& b) { set_double(b, 48, -1); }), HasSubstr("scale"));
    EXPECT_THAT(refusal([&](Bytes& b) { set_double(b, 56, INFINITY); }), HasSubstr("bounds"));
    EXPECT_THAT(refusal([&](Bytes& b) { set_double(b, 64, -1e-9); }), HasSubstr("bounds"));
    EXPECT_THAT(refusal([](Bytes& b) { std::fill(b.begin() + 104, b.begin() + 112, 0xff); }),
                HasSubstr("not below its prime"));
}

TEST(Wire, HostileKeysAreRefused) {
    World w;
    const SecretBytes good = to_secret_bytes(w.secret);
    Bytes secret(good.reveal().begin(), good.reveal().end());
    secret[40] = 3;
    EXPECT_THAT(any_message_of([&] { secret_key_from_bytes(w.context, with_digest(secret)); }),
                HasSubstr("-1, 0 or 1"));
    Bytes keys = to_bytes(GaloisKeys::generate(w.secret, std::vector<int>{1, 2}, false, w.random));
    keys[44] = 4;
    EXPECT_THAT(any_message_of([&] { galois_keys_from_bytes(w.context, with_digest(keys)); }),
                HasSubstr("Galois elements"));
    keys = to_bytes(GaloisKeys(w.context));
    keys[40] = 0xff;
    EXPECT_THAT(any_message_of([&] { galois_keys_from_bytes(w.context, with_digest(keys)); }),
                HasSubstr("ends too early"));
}

// Frozen bytes: the format and the derivation of seeds do not drift.
TEST(Wire, KnownAnswer) {
    World w;
    const Bytes bytes = to_bytes(encrypt(w.secret, *w.message, w.random));
    EXPECT_EQ(sha256_hex(bytes),
              "e99f92c5a72c8980e65938359231f5dc0b18d1a8066f869f4b28fa6828443d93");
}

}  // namespace
}  // namespace ward::he
