#include "ward/he/circuit_privacy.h"

#include <cmath>

#include "ward/he/internal/bfv_scaling.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/internal/flooding.h"
#include "ward/he/internal/public_zero.h"

namespace ward::he {
namespace {

double power_of_two_above(double x) { return x > 0 ? std::exp2(std::ceil(std::log2(x))) : 0; }

}  // namespace

Ciphertext hide_computation(const PublicKey& key, const Ciphertext& ciphertext, Random& random,
                            const FloodingOptions& options) {
    const internal::CiphertextBody& c = ciphertext.body();
    internal::check_same_context(key.context(), c.context);
    internal::check_relinearised(c);
    const internal::Ring& ring = c.context->ring();
    const bool ckks = c.context->parameters().scheme == Scheme::kCkks;
    // Of the phase, for each unit of the bounds.
    const double unit = ckks ? c.scale
                             : std::exp2(ring.log2_data(c.limbs())) /
                                   static_cast<double>(c.context->parameters().plaintext_modulus);
    auto body = std::make_shared<internal::CiphertextBody>(c);
    body->seed.reset();
    body->value_bound = power_of_two_above(c.value_bound);
    const double error = power_of_two_above(c.error_bound * unit + ring.noise().fresh_public());
    const double room = ckks ? body->value_bound * unit : unit / 2 - error;
    const internal::Flood flood = internal::sample_flood(ring, error, room, options, random);
    internal::add_public_zero(key.body(), random, body->parts[0], body->parts[1]);
    internal::add_small(ring, flood.noise, body->parts[0]);
    body->error_bound = (error + flood.bound) / unit;
    return Ciphertext(std::move(body));
}

}  // namespace ward::he
