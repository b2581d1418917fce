#include "ward/he/bfv.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "ward/core/error.h"
#include "ward/he/internal/bfv_multiply.h"
#include "ward/he/internal/bfv_scaling.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/internal/rlwe.h"

namespace ward::he {

using internal::BfvNoise;
using internal::CiphertextBody;
using internal::PlaintextBody;
using internal::Poly;
using internal::Ring;

BfvEncoder::BfvEncoder(ContextPtr context) : context_(std::move(context)) {
    internal::check_scheme(*context_, Scheme::kBfv);
    // Column i of the first row is the value at psi^(5^i), of the second at psi^(-5^i).
    const int log_degree = context_->parameters().log_degree;
    const uint64_t order = 2 * context_->degree();
    const size_t columns = context_->degree() / 2;
    places_.resize(context_->degree());
    uint64_t power = 1;
    for (size_t i = 0; i < columns; ++i, power = power * 5 % order) {
        const auto place = [&](uint64_t exponent) {
            return static_cast<uint32_t>(internal::reverse_bits((exponent - 1) / 2, log_degree));
        };
        places_[i] = place(power);
        places_[columns + i] = place(order - power);
    }
}

Plaintext BfvEncoder::encode(std::span<const int64_t> values) const {
    const internal::NttTable& table = context_->ring().plaintext_table();
    const auto half = static_cast<int64_t>(table.modulus().value() / 2);
    if (values.size() > context_->degree()) {
        throw Error(ErrorCode::kInvalid, "values must be at most " +
                                             std::to_string(context_->degree()) + ", got " +
                                             std::to_string(values.size()));
    }
    auto body = std::make_shared<PlaintextBody>();
    body->context = context_;
    body->poly = Poly(context_->degree(), 1);
    body->poly.fill_zero();
    bool in_range = true;
    for (size_t i = 0; i < values.size(); ++i) {
        in_range = in_range && values[i] >= -half && values[i] <= half;
        body->poly.limb(0)[places_[i]] = table.modulus().reduce_signed(values[i]);
    }
    if (!in_range) {
        throw Error(ErrorCode::kInvalid,
                    "integers to encode must be within +-" + std::to_string(half));
    }
    internal::kernels().ntt_inverse(table, body->poly.limb(0), body->poly.limb(0));
    return Plaintext(std::move(body));
}

std::vector<int64_t> BfvEncoder::decode(const Plaintext& plaintext) const {
    internal::check_same_context(context_, plaintext.context());
    const internal::NttTable& table = context_->ring().plaintext_table();
    const auto t = static_cast<int64_t>(table.modulus().value());
    Poly values(context_->degree(), 1);
    internal::kernels().ntt_forward(table, plaintext.body().poly.limb(0), values.limb(0));
    std::vector<int64_t> out(context_->degree());
    for (size_t i = 0; i < out.size(); ++i) {
        const auto x = static_cast<int64_t>(values.limb(0)[places_[i]]);
        out[i] = x > t / 2 ? x - t : x;
    }
    return out;
}

namespace {

Ciphertext checked(std::shared_ptr<CiphertextBody> body) {
    if (body->error_bound < 0.5) return Ciphertext(std::move(body));
    throw Error(ErrorCode::kRefused, "the noise may have grown over its budget",
                "ask for more depth");
}

std::shared_ptr<CiphertextBody> switched(const CiphertextBody& a, size_t limbs) {
    const Ring& ring = a.context->ring();
    std::vector<Poly> parts = a.parts;
    double error = a.error_bound;
    while (parts[0].limbs() > limbs) {
        for (Poly& part : parts) part = internal::drop_last(ring, part);
        error += internal::bfv_noise(ring).of_error(
            ring.noise().rounded_ciphertext(static_cast<int>(parts.size())),
            ring.log2_data(parts[0].limbs()));
    }
    auto body = internal::with_parts(a, std::move(parts));
    body->error_bound = error;
    return body;
}

// Both at the lower of their levels.
struct Aligned {
    Aligned(const Ciphertext& x, const Ciphertext& y) {
        internal::check_same_context(x.context(), y.context());
        const size_t limbs = std::min(x.body().limbs(), y.body().limbs());
        a = switched(x.body(), limbs);
        b = &x == &y ? a : switched(y.body(), limbs);
    }
    std::shared_ptr<const CiphertextBody> a, b;
};

Ciphertext sum(const Ciphertext& x, const Ciphertext& y, bool subtract) {
    const Aligned of(x, y);
    auto body = internal::with_parts(
        *of.a, internal::add_parts(x.context()->ring(), of.a->parts, of.b->parts, subtract));
    body->error_bound = of.a->error_bound + of.b->error_bound;
    return checked(std::move(body));
}

Ciphertext plain_sum(const Ciphertext& x, const Plaintext& y, bool subtract) {
    const CiphertextBody& a = x.body();
    internal::check_same_context(a.context, y.context());
    const Ring& ring = a.context->ring();
    const Poly message = internal::scale_up(ring, y.body().poly, a.limbs());
    std::vector<Poly> parts = a.parts;
    if (subtract) {
        internal::subtract_in_place(ring, parts[0], message);
    } else {
        internal::add_in_place(ring, parts[0], message);
    }
    auto body = internal::with_parts(a, std::move(parts));
    body->error_bound +=
        internal::bfv_noise(ring).of_error(ring.noise().rounding(), ring.log2_data(a.limbs()));
    return checked(std::move(body));
}

}  // namespace

BfvEvaluator::BfvEvaluator(ContextPtr context) : context_(std::move(context)) {
    internal::check_scheme(*context_, Scheme::kBfv);
}

Ciphertext BfvEvaluator::add(const Ciphertext& a, const Ciphertext& b) const {
    internal::check_same_context(context_, a.context());
    return sum(a, b, false);
}

Ciphertext BfvEvaluator::subtract(const Ciphertext& a, const Ciphertext& b) const {
    internal::check_same_context(context_, a.context());
    return sum(a, b, true);
}

Ciphertext BfvEvaluator::add(const Ciphertext& a, const Plaintext& b) const {
    internal::check_same_context(context_, a.context());
    return plain_sum(a, b, false);
}

Ciphertext BfvEvaluator::subtract(const Ciphertext& a, const Plaintext& b) const {
    internal::check_same_context(context_, a.context());
    return plain_sum(a, b, true);
}

Ciphertext BfvEvaluator::negate(const Ciphertext& a) const {
    internal::check_same_context(context_, a.context());
    return Ciphertext(
        internal::with_parts(a.body(), internal::negate_parts(context_->ring(), a.body().parts)));
}

Ciphertext BfvEvaluator::multiply(const Ciphertext& x, const Ciphertext& y) const {
    internal::check_same_context(context_, x.context());
    internal::check_relinearised(x.body());
    internal::check_relinearised(y.body());
    const Aligned of(x, y);
    const Ring& ring = context_->ring();
    auto body = internal::with_parts(*of.a, internal::bfv_product(ring, of.a->parts, of.b->parts));
    body->error_bound = internal::bfv_noise(ring).multiplied(of.a->error_bound, of.b->error_bound,
                                                             ring.log2_data(of.a->limbs()));
    return checked(std::move(body));
}

Ciphertext BfvEvaluator::multiply(const Ciphertext& a, const Ciphertext& b,
                                  const RelinKey& key) const {
    return relinearise(multiply(a, b), key);
}

Ciphertext BfvEvaluator::multiply(const Ciphertext& x, const Plaintext& y) const {
    const CiphertextBody& a = x.body();
    internal::check_same_context(context_, a.context);
    internal::check_same_context(context_, y.context());
    const Ring& ring = context_->ring();
    const internal::Modulus& t = ring.plaintext_table().modulus();
    // The centred lift of the message: adding t/2 first makes the shift one subtraction.
    Poly shifted(ring.degree(), 1), lifted(ring.degree(), a.limbs());
    internal::kernels().shift_reduce(t, y.body().poly.limb(0), t.value() / 2, shifted.limb(0),
                                     ring.degree());
    for (size_t i = 0; i < a.limbs(); ++i) {
        const internal::Modulus& q = ring.modulus(i);
        internal::kernels().shift_reduce(q, shifted.limb(0), q.negate(q.reduce64(t.value() / 2)),
                                         lifted.limb(i), ring.degree());
    }
    internal::forward_transform(ring, lifted);
    std::vector<Poly> parts;
    for (const Poly& part : a.parts) parts.push_back(internal::multiply_rows(ring, part, lifted));
    auto body = internal::with_parts(a, std::move(parts));
    body->error_bound =
        a.error_bound * static_cast<double>(ring.degree()) * static_cast<double>(t.value()) / 2;
    return checked(std::move(body));
}

Ciphertext BfvEvaluator::relinearise(const Ciphertext& x, const RelinKey& key) const {
    const CiphertextBody& a = x.body();
    internal::check_same_context(context_, a.context);
    if (a.parts.size() == 2) return x;
    return checked(internal::relinearised(a, key));
}

namespace {

Ciphertext apply(const Ciphertext& x, uint64_t element, const GaloisKeys& keys) {
    return element == 1 ? x : checked(internal::rotated(x.body(), element, keys));
}

}  // namespace

Ciphertext BfvEvaluator::rotate_rows(const Ciphertext& a, int steps, const GaloisKeys& keys) const {
    internal::check_same_context(context_, a.context());
    return apply(a, rotation_element(*context_, steps), keys);
}

Ciphertext BfvEvaluator::rotate_columns(const Ciphertext& a, const GaloisKeys& keys) const {
    internal::check_same_context(context_, a.context());
    return apply(a, conjugation_element(*context_), keys);
}

Ciphertext BfvEvaluator::switch_to_level(const Ciphertext& a, int level) const {
    internal::check_same_context(context_, a.context());
    if (level < 0 || level > a.level()) {
        throw Error(ErrorCode::kInvalid, "level must be 0.." + std::to_string(a.level()) +
                                             ", got " + std::to_string(level));
    }
    return checked(switched(a.body(), static_cast<size_t>(level + 1)));
}

}  // namespace ward::he
