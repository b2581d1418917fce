#include "ward/he/keys.h"

#include <numeric>
#include <string>

#include "ward/core/error.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/internal/rlwe.h"

namespace ward::he {

using internal::Poly;

namespace internal {

void check_same_context(const ContextPtr& a, const ContextPtr& b) {
    if (a == b || a->id() == b->id()) return;
    throw Error(
        ErrorCode::kInvalid,
        "objects belong to different parameters, got contexts " + a->id() + " and " + b->id(),
        "make all keys, plaintexts and ciphertexts with one context");
}

void check_scheme(const Context& context, Scheme scheme) {
    if (context.parameters().scheme == scheme) return;
    throw Error(ErrorCode::kInvalid, scheme == Scheme::kCkks
                                         ? "expected a CKKS object, got one of BFV"
                                         : "expected a BFV object, got one of CKKS");
}

std::unique_ptr<const SecretKeyBody> make_secret_key(ContextPtr context, SecretBytes ternary) {
    const Ring& ring = context->ring();
    SmallPoly small(ring.degree());
    for (size_t i = 0; i < ring.degree(); ++i) {
        small.values()[i] = static_cast<int8_t>(ternary.reveal()[i]);
    }
    auto body = std::make_unique<SecretKeyBody>();
    body->transformed = to_ntt(ring, small, ring.data_count(), true);
    body->ternary = std::move(ternary);
    body->context = std::move(context);
    return body;
}

namespace {

size_t limbs_of_level(const Context& context, int level) {
    if (level < -1 || level > context.max_level()) {
        throw Error(ErrorCode::kInvalid, "max_level must be -1.." +
                                             std::to_string(context.max_level()) + ", got " +
                                             std::to_string(level));
    }
    const int top = level == -1 ? context.max_level() : level;
    return static_cast<size_t>(top + context.parameters().base_primes);
}

}  // namespace
}  // namespace internal

SecretKey::SecretKey(std::unique_ptr<const internal::SecretKeyBody> body)
    : body_(std::move(body)) {}
SecretKey::SecretKey(SecretKey&&) noexcept = default;
SecretKey& SecretKey::operator=(SecretKey&&) noexcept = default;
SecretKey::~SecretKey() = default;
const ContextPtr& SecretKey::context() const { return body_->context; }

SecretKey SecretKey::generate(ContextPtr context, Random& random) {
    const internal::SmallPoly small = internal::sample_ternary(random, context->degree());
    SecretBytes ternary(context->degree());
    for (size_t i = 0; i < context->degree(); ++i) {
        ternary.reveal_mutable()[i] = static_cast<uint8_t>(small.values()[i]);
    }
    return SecretKey(internal::make_secret_key(std::move(context), std::move(ternary)));
}

PublicKey::PublicKey(std::shared_ptr<const internal::PublicKeyBody> body)
    : body_(std::move(body)) {}
const ContextPtr& PublicKey::context() const { return body_->context; }

PublicKey PublicKey::generate(const SecretKey& secret, Random& random) {
    const internal::Ring& ring = secret.context()->ring();
    const internal::Kernels& k = internal::kernels();
    const size_t n = ring.degree();
    auto body = std::make_shared<internal::PublicKeyBody>();
    body->context = secret.context();
    body->seed = internal::random_seed(random);
    body->a = Poly(n, ring.data_count());
    body->b = internal::to_ntt(ring, internal::sample_error(random, n), ring.data_count(), false);
    Poly product(n, 1);
    product.secret();
    for (size_t i = 0; i < ring.data_count(); ++i) {
        const internal::Modulus& q = ring.modulus(i);
        internal::sample_uniform(body->seed, i, q, body->a.limb(i), n);
        k.multiply(q, body->a.limb(i), secret.body().transformed.limb(i), product.limb(0), n);
        k.subtract(q, body->b.limb(i), product.limb(0), body->b.limb(i), n);
    }
    return PublicKey(std::move(body));
}

RelinKey::RelinKey(ContextPtr context, std::shared_ptr<const internal::SwitchKeyBody> body)
    : context_(std::move(context)), body_(std::move(body)) {}

RelinKey RelinKey::generate(const SecretKey& secret, Random& random, int max_level) {
    const internal::Ring& ring = secret.context()->ring();
    const Poly& s = secret.body().transformed;
    const size_t limbs = internal::limbs_of_level(*secret.context(), max_level);
    Poly square(ring.degree(), s.limbs());
    square.secret();
    for (size_t i = 0; i < s.limbs(); ++i) {
        internal::kernels().multiply(ring.modulus(i), s.limb(i), s.limb(i), square.limb(i),
                                     ring.degree());
    }
    auto body = std::make_shared<internal::SwitchKeyBody>(
        internal::make_switch_key(ring, square, s, limbs, random));
    return RelinKey(secret.context(), std::move(body));
}

uint64_t rotation_element(const Context& context, int steps) {
    const int64_t order = static_cast<int64_t>(context.degree() / 2);  // of 5 modulo 2N
    const int64_t power = ((steps % order) + order) % order;
    uint64_t element = 1;
    for (int64_t i = 0; i < power; ++i) element = element * 5 % (2 * context.degree());
    return element;
}

uint64_t conjugation_element(const Context& context) { return 2 * context.degree() - 1; }

namespace {

// Odd elements modulo a power of two: the order of the group divides N.
uint64_t invert_element(uint64_t element, uint64_t modulus) {
    uint64_t inverse = element;
    for (int i = 0; i < 6; ++i) inverse *= 2 - element * inverse;  // Newton, doubling the bits
    return inverse & (modulus - 1);
}

std::shared_ptr<const internal::GaloisKeyBody> make_galois_key(const SecretKey& secret,
                                                               uint64_t element, size_t limbs,
                                                               Random& random) {
    const internal::Ring& ring = secret.context()->ring();
    const uint64_t inverse = invert_element(element, 2 * ring.degree());
    auto body = std::make_shared<internal::GaloisKeyBody>();
    body->places = internal::automorphism_places(ring.log_degree(), element);
    Poly target = internal::permute(secret.body().transformed,
                                    internal::automorphism_places(ring.log_degree(), inverse));
    target.secret();
    body->key = internal::make_switch_key(ring, secret.body().transformed, target, limbs, random);
    return body;
}

}  // namespace

GaloisKeys GaloisKeys::generate(const SecretKey& secret, std::span<const int> steps,
                                bool conjugation, Random& random, int max_level) {
    const Context& context = *secret.context();
    const size_t limbs = internal::limbs_of_level(context, max_level);
    GaloisKeys keys(secret.context());
    const auto add = [&](uint64_t element) {
        if (element != 1 && !keys.has(element)) {
            keys.insert(element, make_galois_key(secret, element, limbs, random));
        }
    };
    for (int step : steps) add(rotation_element(context, step));
    if (conjugation) add(conjugation_element(context));
    return keys;
}

const internal::GaloisKeyBody& GaloisKeys::key(uint64_t element) const {
    const auto found = keys_.find(element);
    if (found == keys_.end()) {
        throw Error(ErrorCode::kNotFound,
                    "there is no Galois key for element " + std::to_string(element),
                    "generate the keys with every step that is used");
    }
    return *found->second;
}

void GaloisKeys::insert(uint64_t element, std::shared_ptr<const internal::GaloisKeyBody> key) {
    keys_[element] = std::move(key);
}

}  // namespace ward::he
