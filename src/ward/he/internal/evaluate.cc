#include "ward/he/internal/evaluate.h"

#include <algorithm>

#include <cstring>
#include <string>

#include "ward/core/error.h"
#include "ward/he/internal/bfv_scaling.h"
#include "ward/he/internal/rlwe.h"

namespace ward::he::internal {

std::shared_ptr<CiphertextBody> with_parts(const CiphertextBody& like, std::vector<Poly> parts) {
    auto body = std::make_shared<CiphertextBody>();
    body->context = like.context;
    body->parts = std::move(parts);
    body->scale = like.scale;
    body->value_bound = like.value_bound;
    body->error_bound = like.error_bound;
    body->slots = like.slots;
    return body;
}

Ciphertext with_bounds(const Ciphertext& c, double value, double error) {
    auto body = std::make_shared<CiphertextBody>(c.body());
    body->value_bound = value;
    body->error_bound = error;
    return Ciphertext(std::move(body));
}

Ciphertext with_value_bound(const Ciphertext& c, double bound) {
    return with_bounds(c, std::min(c.value_bound(), bound), c.error_bound());
}

Poly first_rows(const Poly& poly, size_t limbs) {
    Poly out(poly.degree(), limbs);
    std::memcpy(out.limb(0), poly.limb(0), limbs * poly.degree() * sizeof(uint64_t));
    return out;
}

std::vector<Poly> first_rows(const std::vector<Poly>& parts, size_t limbs) {
    std::vector<Poly> out;
    for (const Poly& part : parts) out.push_back(first_rows(part, limbs));
    return out;
}

std::vector<Poly> add_parts(const Ring& ring, const std::vector<Poly>& a,
                            const std::vector<Poly>& b, bool subtract) {
    const Kernels& k = kernels();
    const size_t limbs = std::min(a[0].limbs(), b[0].limbs()), n = ring.degree();
    std::vector<Poly> out;
    for (size_t p = 0; p < std::max(a.size(), b.size()); ++p) {
        Poly sum(n, limbs);
        for (size_t i = 0; i < limbs; ++i) {
            const Modulus& q = ring.modulus(i);
            if (p >= b.size()) {
                std::memcpy(sum.limb(i), a[p].limb(i), n * sizeof(uint64_t));
            } else if (p < a.size()) {
                (subtract ? k.subtract : k.add)(q, a[p].limb(i), b[p].limb(i), sum.limb(i), n);
            } else if (subtract) {
                k.negate(q, b[p].limb(i), sum.limb(i), n);
            } else {
                std::memcpy(sum.limb(i), b[p].limb(i), n * sizeof(uint64_t));
            }
        }
        out.push_back(std::move(sum));
    }
    return out;
}

std::vector<Poly> negate_parts(const Ring& ring, const std::vector<Poly>& a) {
    std::vector<Poly> out;
    for (const Poly& part : a) {
        Poly negated(ring.degree(), part.limbs());
        for (size_t i = 0; i < part.limbs(); ++i) {
            kernels().negate(ring.modulus(i), part.limb(i), negated.limb(i), ring.degree());
        }
        out.push_back(std::move(negated));
    }
    return out;
}

std::vector<Poly> tensor(const Ring& ring, const std::vector<Poly>& a, const std::vector<Poly>& b) {
    const Kernels& k = kernels();
    const size_t n = ring.degree(), limbs = std::min(a[0].limbs(), b[0].limbs());
    std::vector<Poly> out;
    for (int i = 0; i < 3; ++i) out.emplace_back(n, limbs);
    for (size_t i = 0; i < limbs; ++i) {
        const Modulus& q = ring.modulus(i);
        k.multiply(q, a[0].limb(i), b[0].limb(i), out[0].limb(i), n);
        const uint64_t* left[] = {a[0].limb(i), a[1].limb(i)};
        const uint64_t* right[] = {b[1].limb(i), b[0].limb(i)};
        k.inner_product(q, left, right, 2, out[1].limb(i), n);
        k.multiply(q, a[1].limb(i), b[1].limb(i), out[2].limb(i), n);
    }
    return out;
}

Poly multiply_rows(const Ring& ring, const Poly& a, const Poly& b) {
    Poly out(ring.degree(), std::min(a.limbs(), b.limbs()));
    for (size_t i = 0; i < out.limbs(); ++i) {
        kernels().multiply(ring.modulus(i), a.limb(i), b.limb(i), out.limb(i), ring.degree());
    }
    return out;
}

std::shared_ptr<CiphertextBody> relinearised(const CiphertextBody& a, const RelinKey& key) {
    check_same_context(a.context, key.context());
    check_key_level(a, key.body());
    const Ring& ring = a.context->ring();
    PolyPair sum = inner_product(ring, decompose(ring, a.parts[2]), key.body());
    std::vector<Poly> parts;
    parts.push_back(divide_by_special(ring, std::move(sum.c0), &a.parts[0]));
    parts.push_back(divide_by_special(ring, std::move(sum.c1), &a.parts[1]));
    auto body = with_parts(a, std::move(parts));
    body->error_bound += key_switch_error(a);
    return body;
}

std::shared_ptr<CiphertextBody> rotated(const CiphertextBody& a, uint64_t element,
                                        const GaloisKeys& keys, const std::vector<Poly>* digits) {
    check_same_context(a.context, keys.context());
    check_relinearised(a);
    const GaloisKeyBody& key = keys.key(element);
    check_key_level(a, key.key);
    const Ring& ring = a.context->ring();
    PolyPair sum =
        inner_product(ring, digits != nullptr ? *digits : decompose(ring, a.parts[1]), key.key);
    std::vector<Poly> parts;
    parts.push_back(permute(divide_by_special(ring, std::move(sum.c0), &a.parts[0]), key.places));
    parts.push_back(permute(divide_by_special(ring, std::move(sum.c1), nullptr), key.places));
    auto body = with_parts(a, std::move(parts));
    body->error_bound += key_switch_error(a);
    return body;
}

void check_relinearised(const CiphertextBody& a) {
    if (a.parts.size() == 2) return;
    throw Error(ErrorCode::kInvalid,
                "expected a ciphertext of 2 polynomials, got " + std::to_string(a.parts.size()),
                "relinearise products before they are multiplied or rotated");
}

void check_key_level(const CiphertextBody& a, const SwitchKeyBody& key) {
    if (a.limbs() <= key.limbs) return;
    throw Error(ErrorCode::kInvalid,
                "the ciphertext has " + std::to_string(a.limbs()) +
                    " primes, the key is made for at most " + std::to_string(key.limbs),
                "drop the ciphertext to the level of the key");
}

double key_switch_error(const Ring& ring, size_t limbs) {
    return ring.noise().key_switch(static_cast<int>(ring.digit_count(limbs)), ring.digit_ratio());
}

double key_switch_error(const CiphertextBody& a) {
    const Ring& ring = a.context->ring();
    const double error = key_switch_error(ring, a.limbs());
    if (a.context->parameters().scheme == Scheme::kCkks) return error / a.scale;
    return bfv_noise(ring).of_error(error, ring.log2_data(a.limbs()));
}

}  // namespace ward::he::internal
