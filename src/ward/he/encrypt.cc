#include "ward/he/encrypt.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "ward/core/error.h"
#include "ward/he/internal/bfv_scaling.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/internal/flooding.h"
#include "ward/he/internal/public_zero.h"
#include "ward/he/internal/rlwe.h"

namespace ward::he {

using internal::CiphertextBody;
using internal::Kernels;
using internal::PlaintextBody;
using internal::Poly;
using internal::Ring;

namespace {

bool is_ckks(const Context& context) { return context.parameters().scheme == Scheme::kCkks; }

void check_message(const ContextPtr& context, const PlaintextBody& message) {
    internal::check_same_context(context, message.context);
    if (is_ckks(*context) && !message.bound_declared) {
        throw Error(ErrorCode::kInvalid,
                    "a message to encrypt needs a declared bound: the bound is public",
                    "encode with {.bound = b} where b does not depend on the values");
    }
}

// The message as it is added to c0: transformed, times Q/t for BFV.
Poly scaled_message(const Ring& ring, const PlaintextBody& message) {
    if (is_ckks(*message.context)) return message.poly;
    return internal::scale_up(ring, message.poly, ring.data_count());
}

std::shared_ptr<CiphertextBody> fresh_body(const PlaintextBody& message, size_t limbs,
                                           double error) {
    const Ring& ring = message.context->ring();
    auto body = std::make_shared<CiphertextBody>();
    body->context = message.context;
    body->scale = message.scale;
    body->slots = message.slots;
    body->value_bound = message.value_bound;
    if (is_ckks(*message.context)) {
        body->error_bound = message.error_bound + error / message.scale;
    } else {
        body->error_bound = internal::bfv_noise(ring).of_error(error + ring.noise().rounding(),
                                                               ring.log2_data(limbs));
    }
    return body;
}

}  // namespace

Ciphertext encrypt(const PublicKey& key, const Plaintext& message, Random& random) {
    check_message(key.context(), message.body());
    const Ring& ring = key.context()->ring();
    Poly c0 = scaled_message(ring, message.body());
    const size_t limbs = c0.limbs();
    Poly c1(ring.degree(), limbs);
    c1.fill_zero();
    internal::add_public_zero(key.body(), random, c0, c1);
    auto body = fresh_body(message.body(), limbs, ring.noise().fresh_public());
    body->parts.push_back(std::move(c0));
    body->parts.push_back(std::move(c1));
    return Ciphertext(std::move(body));
}

Ciphertext encrypt(const SecretKey& key, const Plaintext& message, Random& random) {
    check_message(key.context(), message.body());
    const Ring& ring = key.context()->ring();
    const Kernels& k = internal::kernels();
    const size_t n = ring.degree();
    Poly c0 = scaled_message(ring, message.body());
    const size_t limbs = c0.limbs();
    const auto seed = internal::random_seed(random);
    const auto error = internal::sample_error(random, n);
    Poly c1(n, limbs), work(n, 1);
    work.secret();
    for (size_t i = 0; i < limbs; ++i) {
        const internal::NttTable& table = ring.table(i);
        const internal::Modulus& q = table.modulus();
        internal::sample_uniform(seed, i, q, c1.limb(i), n);
        internal::small_to_residues(error, q, work.limb(0));
        k.ntt_forward(table, work.limb(0), work.limb(0));
        k.add(q, c0.limb(i), work.limb(0), c0.limb(i), n);
        k.multiply(q, c1.limb(i), key.body().transformed.limb(i), work.limb(0), n);
        k.subtract(q, c0.limb(i), work.limb(0), c0.limb(i), n);
    }
    auto body = fresh_body(message.body(), limbs, ring.noise().fresh_symmetric());
    body->seed = seed;
    body->parts.push_back(std::move(c0));
    body->parts.push_back(std::move(c1));
    return Ciphertext(std::move(body));
}

namespace {

// Data primes that hold numbers up to `largest` and their sign, with a bit to spare.
size_t limbs_for(const Ring& ring, double largest, size_t available) {
    const double bits = std::log2(largest) + 2;
    for (size_t limbs = 1; limbs < std::min<size_t>(2, available); ++limbs) {
        if (bits <= ring.log2_data(limbs)) return limbs;
    }
    return std::min<size_t>(2, available);
}

std::shared_ptr<PlaintextBody> decrypt_ckks(const SecretKey& key, const CiphertextBody& c,
                                            double extra_error) {
    const Ring& ring = c.context->ring();
    auto body = std::make_shared<PlaintextBody>();
    body->context = c.context;
    body->scale = c.scale;
    body->slots = c.slots;
    body->value_bound = c.value_bound;
    body->error_bound = c.error_bound + extra_error;
    const double largest = (body->value_bound + body->error_bound) * c.scale + 1;
    body->poly =
        internal::phase(ring, c.parts, key.body().transformed, limbs_for(ring, largest, c.limbs()));
    return body;
}

Plaintext decrypt_bfv(const SecretKey& key, const CiphertextBody& c) {
    const Ring& ring = c.context->ring();
    auto body = std::make_shared<PlaintextBody>();
    body->context = c.context;
    Poly phase = internal::phase(ring, c.parts, key.body().transformed, c.limbs());
    internal::inverse_transform(ring, phase);
    if (internal::largest_noise(ring, phase) > internal::kLostNoise) {
        throw Error(ErrorCode::kCorrupt, "the message is lost: the noise has grown over its budget",
                    "use parameters of a larger depth; or the ciphertext belongs to another key");
    }
    body->poly = internal::scale_down(ring, phase);
    return Plaintext(std::move(body));
}

void check_decryption(const SecretKey& key, const Ciphertext& c) {
    internal::check_same_context(key.context(), c.context());
}

}  // namespace

Plaintext decrypt_for_owner(const SecretKey& key, const Ciphertext& ciphertext) {
    check_decryption(key, ciphertext);
    const CiphertextBody& c = ciphertext.body();
    if (!is_ckks(*c.context)) return decrypt_bfv(key, c);
    return Plaintext(decrypt_ckks(key, c, 0));
}

Plaintext decrypt_for_release(const SecretKey& key, const Ciphertext& ciphertext, Random& random,
                              const FloodingOptions& options) {
    check_decryption(key, ciphertext);
    const CiphertextBody& c = ciphertext.body();
    if (!is_ckks(*c.context)) {
        if (ciphertext.noise_budget_bound() <= 0) {
            throw Error(ErrorCode::kRefused,
                        "the bound of the noise does not prove the result right",
                        "use parameters of a larger depth");
        }
        return decrypt_bfv(key, c);
    }
    const Ring& ring = c.context->ring();
    const internal::Flood flood = internal::sample_flood(ring, c.error_bound * c.scale,
                                                         c.value_bound * c.scale, options, random);
    auto body = decrypt_ckks(key, c, flood.bound / c.scale);
    internal::add_small(ring, flood.noise, body->poly);
    return Plaintext(std::move(body));
}

double noise_budget(const SecretKey& key, const Ciphertext& ciphertext) {
    check_decryption(key, ciphertext);
    internal::check_scheme(*ciphertext.context(), Scheme::kBfv);
    const CiphertextBody& c = ciphertext.body();
    const Ring& ring = c.context->ring();
    Poly phase = internal::phase(ring, c.parts, key.body().transformed, c.limbs());
    internal::inverse_transform(ring, phase);
    return internal::noise_budget_of_phase(ring, phase);
}

}  // namespace ward::he
