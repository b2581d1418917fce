// No branch and no index depends on a secret. Under valgrind the secrets are marked as not
// initialised, and every branch or address that depends on them is an error (Langley's ctgrind; the
// test he_constant_time runs this file so). Without valgrind the marks do nothing.
#include <gtest/gtest.h>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define WARD_SECRET(data, bytes) VALGRIND_MAKE_MEM_UNDEFINED(data, bytes)
#define WARD_PUBLIC(data, bytes) VALGRIND_MAKE_MEM_DEFINED(data, bytes)
#else
#define WARD_SECRET(data, bytes) (void)(data)
#define WARD_PUBLIC(data, bytes) (void)(data)
#endif

#include <vector>

#include "ward/core/testing/seeded_random.h"
#include "ward/he/ckks.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/internal/kernels.h"
#include "ward/he/internal/loops.h"
#include "ward/he/testing/small_parameters.h"

namespace ward::he {
namespace {

using internal::Poly;
using ward::testonly::seeded_random;

void publish(const Poly& poly) {
    WARD_PUBLIC(poly.limb(0), poly.limbs() * poly.degree() * sizeof(uint64_t));
}

void publish(const internal::SwitchKeyBody& key) {
    for (const Poly& b : key.b) publish(b);
}

SecretKey secret_key(const ContextPtr& context, Random& random) {
    const internal::SmallPoly ternary = internal::sample_ternary(random, context->degree());
    SecretBytes bytes(context->degree());
    for (size_t i = 0; i < bytes.size(); ++i) {
        bytes.reveal_mutable()[i] = static_cast<uint8_t>(ternary.values()[i]);
    }
    WARD_SECRET(bytes.reveal_mutable().data(), bytes.size());
    return SecretKey(internal::make_secret_key(context, std::move(bytes)));
}

TEST(ConstantTime, SamplersDoNotBranchOnRandomWords) {
    Random random = seeded_random(1);
    std::vector<uint64_t> words(256);
    random.fill(std::span<uint64_t>(words));
    std::vector<int64_t> thresholds(internal::kErrorCut, int64_t{1} << 62), values(256);
    for (size_t i = 0; i < 256; ++i) values[i] = static_cast<int64_t>(words[i]);
    WARD_SECRET(values.data(), values.size() * sizeof(int64_t));
    internal::kernels().invert_gaussian(thresholds.data(), values.data(), values.size());
    std::vector<uint64_t> residues(256);
    internal::kernels().small_to_residues(values.data(), 97, residues.data(), values.size());
    WARD_PUBLIC(values.data(), values.size() * sizeof(int64_t));
    for (int64_t x : values) EXPECT_TRUE(x == 0 || std::abs(x) == internal::kErrorCut);
}

TEST(ConstantTime, KeysEncryptionAndDecryption) {
    Random random = seeded_random(2);
    const auto context = Context::create_insecure(testonly::small_ckks(5, 2, 40, 2));
    const SecretKey secret = secret_key(context, random);
    const PublicKey key = PublicKey::generate(secret, random);
    publish(key.body().b);
    const RelinKey relin = RelinKey::generate(secret, random);
    publish(relin.body());
    const GaloisKeys keys = GaloisKeys::generate(secret, std::vector<int>{1}, false, random);
    publish(keys.key(rotation_element(*context, 1)).key);

    const CkksEncoder encoder(context);
    const CkksEvaluator evaluator(context);
    const std::vector<double> values(16, 0.25);
    const Plaintext message = encoder.encode(values, {.bound = 1.0});
    WARD_SECRET(message.body().poly.limb(0),
                message.body().poly.limbs() * context->degree() * sizeof(uint64_t));
    const Ciphertext x = encrypt(key, message, random), y = encrypt(secret, message, random);
    for (const Ciphertext& c : {x, y}) {
        for (const Poly& part : c.body().parts) publish(part);
    }
    const Ciphertext product = evaluator.rescale(evaluator.multiply(x, y, relin));
    const Ciphertext result = evaluator.rotate(product, 1, keys);
    const Plaintext decrypted = decrypt_for_owner(secret, result);
    publish(decrypted.body().poly);
    for (double v : encoder.decode(decrypted)) EXPECT_NEAR(v, 0.0625, result.error_bound());
}

}  // namespace
}  // namespace ward::he
