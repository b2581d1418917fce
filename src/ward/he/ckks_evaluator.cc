#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/he/ckks.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/internal/rlwe.h"

namespace ward::he {

using internal::CiphertextBody;
using internal::PlaintextBody;
using internal::Poly;
using internal::Ring;

namespace {

constexpr double kScaleTolerance = 0x1p-20;

// Throws unless values and errors at this scale leave a bit to spare below the modulus.
Ciphertext checked(std::shared_ptr<CiphertextBody> body) {
    const Ring& ring = body->context->ring();
    const double size = (body->value_bound + body->error_bound) * body->scale + 1;
    if (!(std::log2(size) + 1 < ring.log2_data(body->limbs()))) {
        throw Error(
            ErrorCode::kRefused,
            "values up to " + std::to_string(body->value_bound) + " at a scale of 2^" +
                std::to_string(std::log2(body->scale)) + " would wrap around the modulus of " +
                std::to_string(static_cast<int>(ring.log2_data(body->limbs()))) + " bits",
            "rescale products, declare tighter bounds, or ask for more integer_bits or depth");
    }
    return Ciphertext(std::move(body));
}

size_t limbs_of(const Context& context, int level) {
    return static_cast<size_t>(level + context.parameters().base_primes);
}

// Error of taking one scale for another; throws when they are too far apart.
double scale_mismatch(double a, double b, double value_bound) {
    const double relative = std::abs(a / b - 1);
    if (relative <= kScaleTolerance) return relative * value_bound;
    throw Error(ErrorCode::kInvalid,
                "scales must agree, got 2^" + std::to_string(std::log2(a)) + " and 2^" +
                    std::to_string(std::log2(b)),
                "rescale both, or bring one to the scale of the other with adjust");
}

Ciphertext sum(const Ciphertext& x, const Ciphertext& y, bool subtract) {
    const CiphertextBody &a = x.body(), &b = y.body();
    internal::check_same_context(a.context, b.context);
    const double mismatch = scale_mismatch(a.scale, b.scale, b.value_bound);
    auto body =
        internal::with_parts(a, internal::add_parts(a.context->ring(), a.parts, b.parts, subtract));
    body->value_bound = a.value_bound + b.value_bound;
    body->error_bound = a.error_bound + b.error_bound * (1 + kScaleTolerance) + mismatch;
    body->slots = std::max(a.slots, b.slots);
    return checked(std::move(body));
}

// Throws unless the plaintext has the primes of the ciphertext, or more.
void check_operand(const CiphertextBody& a, const PlaintextBody& b) {
    internal::check_same_context(a.context, b.context);
    if (b.poly.limbs() >= a.limbs()) return;
    throw Error(ErrorCode::kInvalid,
                "the plaintext has " + std::to_string(b.poly.limbs()) + " primes, the ciphertext " +
                    std::to_string(a.limbs()),
                "encode at the level of the ciphertext or above");
}

Ciphertext plain_sum(const Ciphertext& x, const Plaintext& y, bool subtract) {
    const CiphertextBody& a = x.body();
    const PlaintextBody& b = y.body();
    check_operand(a, b);
    const double mismatch = scale_mismatch(a.scale, b.scale, b.value_bound);
    std::vector<Poly> parts = a.parts;
    for (size_t i = 0; i < a.limbs(); ++i) {
        const auto run = subtract ? internal::kernels().subtract : internal::kernels().add;
        run(a.context->ring().modulus(i), parts[0].limb(i), b.poly.limb(i), parts[0].limb(i),
            a.context->degree());
    }
    auto body = internal::with_parts(a, std::move(parts));
    body->value_bound = a.value_bound + b.value_bound;
    body->error_bound = a.error_bound + b.error_bound * (1 + kScaleTolerance) + mismatch;
    body->slots = std::max(a.slots, b.slots);
    return checked(std::move(body));
}

template <typename A, typename B>
void set_product_bounds(const A& a, const B& b, CiphertextBody& body) {
    body.scale = a.scale * b.scale;
    body.value_bound = a.value_bound * b.value_bound;
    body.error_bound = a.value_bound * b.error_bound + b.value_bound * a.error_bound +
                       a.error_bound * b.error_bound;
    body.slots = std::max(a.slots, b.slots);
}

}  // namespace

CkksEvaluator::CkksEvaluator(ContextPtr context) : context_(std::move(context)) {
    internal::check_scheme(*context_, Scheme::kCkks);
}

Ciphertext CkksEvaluator::add(const Ciphertext& a, const Ciphertext& b) const {
    internal::check_same_context(context_, a.context());
    return sum(a, b, false);
}

Ciphertext CkksEvaluator::subtract(const Ciphertext& a, const Ciphertext& b) const {
    internal::check_same_context(context_, a.context());
    return sum(a, b, true);
}

Ciphertext CkksEvaluator::add(const Ciphertext& a, const Plaintext& b) const {
    internal::check_same_context(context_, a.context());
    return plain_sum(a, b, false);
}

Ciphertext CkksEvaluator::subtract(const Ciphertext& a, const Plaintext& b) const {
    internal::check_same_context(context_, a.context());
    return plain_sum(a, b, true);
}

Ciphertext CkksEvaluator::negate(const Ciphertext& a) const {
    internal::check_same_context(context_, a.context());
    return Ciphertext(
        internal::with_parts(a.body(), internal::negate_parts(context_->ring(), a.body().parts)));
}

namespace {

// round(constant scale) modulo a prime, for numbers up to 2^120.
uint64_t constant_residue(const internal::Modulus& q, double scaled) {
    int exponent = 0;
    const double mantissa = std::frexp(std::abs(std::round(scaled)), &exponent);
    uint64_t residue = q.reduce64(static_cast<uint64_t>(std::ldexp(mantissa, 53)));
    // mantissa 2^53 is an integer; the number is that times 2^(exponent - 53).
    if (exponent < 53) {
        residue = q.reduce64(static_cast<uint64_t>(std::ldexp(mantissa, exponent)));
    } else {
        residue = q.multiply(residue, q.power_vartime(2, static_cast<uint64_t>(exponent - 53)));
    }
    return scaled < 0 ? q.negate(residue) : residue;
}

void check_constant(double constant, double scale) {
    if (std::isfinite(constant) && std::abs(constant * scale) < 0x1p120) return;
    throw Error(ErrorCode::kInvalid, "constants must be finite and below 2^120 at their scale");
}

}  // namespace

Ciphertext CkksEvaluator::add(const Ciphertext& x, double constant) const {
    const CiphertextBody& a = x.body();
    internal::check_same_context(context_, a.context);
    check_constant(constant, a.scale);
    std::vector<Poly> parts = a.parts;
    for (size_t i = 0; i < a.limbs(); ++i) {
        const internal::Modulus& q = context_->ring().modulus(i);
        const uint64_t residue = constant_residue(q, constant * a.scale);
        // In the order of the transform a constant stands in every place.
        uint64_t* row = parts[0].limb(i);
        for (size_t j = 0; j < context_->degree(); ++j) row[j] = q.add(row[j], residue);
    }
    auto body = internal::with_parts(a, std::move(parts));
    body->value_bound = a.value_bound + std::abs(constant);
    body->error_bound = a.error_bound + 0.5 / a.scale;
    return checked(std::move(body));
}

Ciphertext CkksEvaluator::multiply(const Ciphertext& x, const Ciphertext& y) const {
    const CiphertextBody &a = x.body(), &b = y.body();
    internal::check_same_context(context_, a.context);
    internal::check_same_context(context_, b.context);
    internal::check_relinearised(a);
    internal::check_relinearised(b);
    auto body = internal::with_parts(a, internal::tensor(context_->ring(), a.parts, b.parts));
    set_product_bounds(a, b, *body);
    return checked(std::move(body));
}

Ciphertext CkksEvaluator::multiply(const Ciphertext& a, const Ciphertext& b,
                                   const RelinKey& key) const {
    return relinearise(multiply(a, b), key);
}

Ciphertext CkksEvaluator::multiply(const Ciphertext& x, const Plaintext& y) const {
    const CiphertextBody& a = x.body();
    const PlaintextBody& b = y.body();
    internal::check_same_context(context_, a.context);
    check_operand(a, b);
    std::vector<Poly> parts;
    for (const Poly& part : a.parts) {
        parts.push_back(internal::multiply_rows(context_->ring(), part, b.poly));
    }
    auto body = internal::with_parts(a, std::move(parts));
    set_product_bounds(a, b, *body);
    return checked(std::move(body));
}

Ciphertext CkksEvaluator::multiply(const Ciphertext& x, double constant, double scale) const {
    const CiphertextBody& a = x.body();
    internal::check_same_context(context_, a.context);
    if (scale == 0) scale = rescale_prime(x.level());
    check_constant(constant, scale);
    std::vector<Poly> parts;
    for (const Poly& part : a.parts) {
        Poly product(context_->degree(), part.limbs());
        for (size_t i = 0; i < part.limbs(); ++i) {
            const internal::Modulus& q = context_->ring().modulus(i);
            internal::kernels().multiply_factor(q, part.limb(i),
                                                q.factor(constant_residue(q, constant * scale)),
                                                product.limb(i), context_->degree());
        }
        parts.push_back(std::move(product));
    }
    auto body = internal::with_parts(a, std::move(parts));
    body->scale = a.scale * scale;
    body->value_bound = a.value_bound * std::abs(constant);
    body->error_bound =
        a.error_bound * std::abs(constant) + (a.value_bound + a.error_bound) * 0.5 / scale;
    return checked(std::move(body));
}

Ciphertext CkksEvaluator::relinearise(const Ciphertext& x, const RelinKey& key) const {
    const CiphertextBody& a = x.body();
    internal::check_same_context(context_, a.context);
    if (a.parts.size() == 2) return x;
    return checked(internal::relinearised(a, key));
}

double CkksEvaluator::rescale_prime(int level) const {
    if (level < 1 || level > context_->max_level()) {
        throw Error(ErrorCode::kRefused,
                    "no level is left to rescale: level must be 1.." +
                        std::to_string(context_->max_level()) + ", got " + std::to_string(level),
                    "ask for more depth");
    }
    return static_cast<double>(context_->parameters().data_primes[limbs_of(*context_, level) - 1]);
}

Ciphertext CkksEvaluator::rescale(const Ciphertext& x) const {
    const CiphertextBody& a = x.body();
    internal::check_same_context(context_, a.context);
    const double prime = rescale_prime(x.level());
    std::vector<Poly> parts;
    for (const Poly& part : a.parts) parts.push_back(internal::drop_last(context_->ring(), part));
    auto body = internal::with_parts(a, std::move(parts));
    body->scale = a.scale / prime;
    body->error_bound +=
        context_->ring().noise().rounded_ciphertext(static_cast<int>(a.parts.size())) / body->scale;
    return checked(std::move(body));
}

Ciphertext CkksEvaluator::drop_to_level(const Ciphertext& x, int level) const {
    internal::check_same_context(context_, x.context());
    if (level < 0 || level > x.level()) {
        throw Error(ErrorCode::kInvalid, "level must be 0.." + std::to_string(x.level()) +
                                             ", got " + std::to_string(level));
    }
    if (level == x.level()) return x;
    auto body = internal::with_parts(
        x.body(), internal::first_rows(x.body().parts, limbs_of(*context_, level)));
    body->seed = x.body().seed;  // its rows are those of the same streams
    return checked(std::move(body));
}

Ciphertext CkksEvaluator::adjust(const Ciphertext& x, int level, double scale) const {
    if (scale == 0) scale = std::exp2(context_->parameters().scale_bits);
    if (level >= x.level()) {
        throw Error(ErrorCode::kInvalid, "level must be below " + std::to_string(x.level()) +
                                             " to adjust a scale, got " + std::to_string(level));
    }
    const double factor = scale * rescale_prime(level + 1) / x.scale();
    auto product = multiply(drop_to_level(x, level + 1), 1.0, factor);
    auto body = std::make_shared<CiphertextBody>(rescale(product).body());
    body->scale = scale;  // the same number, but for rounding in doubles
    return checked(std::move(body));
}

namespace {

Ciphertext apply(const Ciphertext& x, uint64_t element, const GaloisKeys& keys) {
    return element == 1 ? x : checked(internal::rotated(x.body(), element, keys));
}

}  // namespace

Ciphertext CkksEvaluator::rotate(const Ciphertext& a, int steps, const GaloisKeys& keys) const {
    internal::check_same_context(context_, a.context());
    return apply(a, rotation_element(*context_, steps), keys);
}

Ciphertext CkksEvaluator::conjugate(const Ciphertext& a, const GaloisKeys& keys) const {
    internal::check_same_context(context_, a.context());
    return apply(a, conjugation_element(*context_), keys);
}

std::vector<Ciphertext> CkksEvaluator::rotate_hoisted(const Ciphertext& x,
                                                      std::span<const int> steps,
                                                      const GaloisKeys& keys) const {
    internal::check_same_context(context_, x.context());
    internal::check_same_context(context_, keys.context());
    internal::check_relinearised(x.body());
    const auto digits = internal::decompose(context_->ring(), x.body().parts[1]);
    std::vector<Ciphertext> out;
    for (int step : steps) {
        const uint64_t element = rotation_element(*context_, step);
        out.push_back(element == 1 ? x
                                   : checked(internal::rotated(x.body(), element, keys, &digits)));
    }
    return out;
}

Ciphertext CkksEvaluator::sum_slots(const Ciphertext& x, int count, const GaloisKeys& keys) const {
    if (count < 1 || !std::has_single_bit(static_cast<unsigned>(count)) ||
        static_cast<size_t>(count) > context_->slots()) {
        throw Error(ErrorCode::kInvalid, "count must be a power of two up to " +
                                             std::to_string(context_->slots()) + ", got " +
                                             std::to_string(count));
    }
    Ciphertext total = x;
    for (int step = 1; step < count; step *= 2) total = add(total, rotate(total, step, keys));
    return total;
}

}  // namespace ward::he
