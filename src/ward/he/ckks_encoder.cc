#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <string>

#include "ward/core/error.h"
#include "ward/he/ckks.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/internal/embedding.h"
#include "ward/he/internal/encode.h"
#include "ward/he/internal/rlwe.h"

namespace ward::he {

using internal::Embedding;
using internal::kLargestCoefficient;
using internal::kTransformError;
using internal::Modulus;
using internal::PlaintextBody;
using internal::Poly;
using internal::Slots;

struct CkksEncoder::State {
    std::vector<Embedding> by_log_slots;  // tables of all periods take less than two of the largest
};

namespace {

void check_options(const Context& context, const EncodeOptions& o, size_t count, size_t slots) {
    const auto invalid = [](const std::string& message) {
        throw Error(ErrorCode::kInvalid, message);
    };
    if (!std::has_single_bit(slots) || slots > context.slots()) {
        invalid("slots must be a power of two up to " + std::to_string(context.slots()) + ", got " +
                std::to_string(slots));
    }
    if (count > slots) {
        invalid("values must be at most " + std::to_string(slots) + ", got " +
                std::to_string(count));
    }
    if (o.level < -1 || o.level > context.max_level()) {
        invalid("level must be -1.." + std::to_string(context.max_level()) + ", got " +
                std::to_string(o.level));
    }
    if (!std::isfinite(o.bound) || o.bound < 0 || !std::isfinite(o.scale) || o.scale < 0) {
        invalid("bound and scale must be finite and >= 0");
    }
}

// The largest absolute value, or the declared bound. Values are secret: there is one comparison,
// and its outcome is an error or nothing.
double check_bound(const Slots& slots, double declared) {
    double largest = 0;
    bool finite = true;
    for (size_t i = 0; i < slots.re.size(); ++i) {
        const double square = slots.re[i] * slots.re[i] + slots.im[i] * slots.im[i];
        finite = finite && std::isfinite(square);
        largest = std::max(largest, square);
    }
    largest = std::sqrt(largest);
    if (!finite) throw Error(ErrorCode::kInvalid, "values to encode must be finite");
    if (declared == 0) return largest;
    if (largest > declared) {
        throw Error(ErrorCode::kInvalid,
                    "a value to encode is above the declared bound of " + std::to_string(declared));
    }
    return declared;
}

Plaintext encode_slots(const ContextPtr& context, const Embedding& embedding, Slots slots,
                       const EncodeOptions& options) {
    const internal::Ring& ring = context->ring();
    const Parameters& p = context->parameters();
    const double bound = check_bound(slots, options.bound);
    auto body = std::make_shared<PlaintextBody>();
    body->context = context;
    body->scale = options.scale == 0 ? std::exp2(p.scale_bits) : options.scale;
    body->value_bound = bound;
    body->bound_declared = options.bound > 0;
    body->slots = embedding.slots();
    body->error_bound = ring.noise().rounding() / body->scale + bound * kTransformError;
    const int level = options.level == -1 ? context->max_level() : options.level;
    const size_t limbs = static_cast<size_t>(level + p.base_primes);
    if (bound * body->scale >= kLargestCoefficient ||
        std::log2(bound * body->scale + 1) + 1 >= ring.log2_data(limbs)) {
        throw Error(ErrorCode::kRefused,
                    "values up to " + std::to_string(bound) + " at a scale of 2^" +
                        std::to_string(std::log2(body->scale)) + " do not fit level " +
                        std::to_string(level),
                    "use a smaller scale or a higher level");
    }
    body->poly =
        internal::encode_rows(ring, embedding, std::move(slots), body->scale, limbs, false);
    return Plaintext(std::move(body));
}

// Coefficients of a message as doubles. One prime is enough for small ones; two are put together by
// Garner's formula.
std::vector<double> centred_coefficients(const internal::Ring& ring, const PlaintextBody& body,
                                         double largest) {
    const internal::Kernels& k = internal::kernels();
    const size_t n = ring.degree();
    const Modulus& q0 = ring.modulus(0);
    const auto half0 = static_cast<int64_t>(q0.value() / 2);
    Poly first(n, 1);
    k.ntt_inverse(ring.table(0), body.poly.limb(0), first.limb(0));
    std::vector<double> out(n);
    if (body.poly.limbs() == 1 || largest < static_cast<double>(half0) / 2) {
        for (size_t i = 0; i < n; ++i) {
            const auto x = static_cast<int64_t>(first.limb(0)[i]);
            out[i] = static_cast<double>(x > half0 ? x - static_cast<int64_t>(q0.value()) : x);
        }
        return out;
    }
    const Modulus& q1 = ring.modulus(1);
    Poly second(n, 1);
    k.ntt_inverse(ring.table(1), body.poly.limb(1), second.limb(0));
    const internal::Factor inverse = q1.factor(q1.invert(q1.reduce64(q0.value())));
    const auto half1 = static_cast<int64_t>(q1.value() / 2);
    for (size_t i = 0; i < n; ++i) {
        const uint64_t low = first.limb(0)[i];
        const uint64_t difference = q1.subtract(second.limb(0)[i], q1.reduce(low));
        auto digit = static_cast<int64_t>(q1.multiply(difference, inverse));
        digit = digit > half1 ? digit - static_cast<int64_t>(q1.value()) : digit;
        __extension__ using Int128 = __int128;
        out[i] = static_cast<double>(static_cast<Int128>(digit) * static_cast<Int128>(q0.value()) +
                                     static_cast<Int128>(low));
    }
    return out;
}

Slots decode_slots(const Embedding& embedding, const PlaintextBody& body) {
    const internal::Ring& ring = body.context->ring();
    const double largest =
        (body.value_bound + body.error_bound) * body.scale * (1 + kTransformError) + 1;
    if (std::log2(largest) + 1 > ring.log2_data(std::min<size_t>(2, body.poly.limbs()))) {
        throw Error(ErrorCode::kRefused,
                    "the message is too large at this scale to be decoded, scale 2^" +
                        std::to_string(std::log2(body.scale)),
                    "rescale before decryption");
    }
    const std::vector<double> coefficients = centred_coefficients(ring, body, largest);
    for (double c : coefficients) {
        if (std::abs(c) <= largest) continue;
        throw Error(ErrorCode::kCorrupt, "the decrypted message is out of its bounds",
                    "the ciphertext belongs to another key, or was changed");
    }
    const size_t period = embedding.slots(), gap = ring.degree() / 2 / period;
    Slots slots{std::vector<double>(period), std::vector<double>(period)};
    for (size_t i = 0; i < period; ++i) {
        slots.re[i] = coefficients[i * gap] / body.scale;
        slots.im[i] = coefficients[ring.degree() / 2 + i * gap] / body.scale;
    }
    embedding.to_slots(slots.re, slots.im);
    return slots;
}

}  // namespace

CkksEncoder::CkksEncoder(ContextPtr context) : context_(std::move(context)) {
    internal::check_scheme(*context_, Scheme::kCkks);
    auto state = std::make_unique<State>();
    for (int log_slots = 0; log_slots < context_->parameters().log_degree; ++log_slots) {
        state->by_log_slots.emplace_back(log_slots);
    }
    state_ = std::move(state);
}

CkksEncoder::CkksEncoder(CkksEncoder&&) noexcept = default;
CkksEncoder& CkksEncoder::operator=(CkksEncoder&&) noexcept = default;
CkksEncoder::~CkksEncoder() = default;

Plaintext CkksEncoder::encode(std::span<const double> values, const EncodeOptions& options) const {
    const size_t slots =
        options.slots == 0 ? context_->slots() : static_cast<size_t>(options.slots);
    check_options(*context_, options, values.size(), slots);
    Slots packed{std::vector<double>(slots), std::vector<double>(slots)};
    std::copy(values.begin(), values.end(), packed.re.begin());
    return encode_slots(context_, state_->by_log_slots[std::countr_zero(slots)], std::move(packed),
                        options);
}

Plaintext CkksEncoder::encode(std::span<const std::complex<double>> values,
                              const EncodeOptions& options) const {
    const size_t slots =
        options.slots == 0 ? context_->slots() : static_cast<size_t>(options.slots);
    check_options(*context_, options, values.size(), slots);
    Slots packed{std::vector<double>(slots), std::vector<double>(slots)};
    for (size_t i = 0; i < values.size(); ++i) {
        packed.re[i] = values[i].real();
        packed.im[i] = values[i].imag();
    }
    return encode_slots(context_, state_->by_log_slots[std::countr_zero(slots)], std::move(packed),
                        options);
}

std::vector<double> CkksEncoder::decode(const Plaintext& plaintext) const {
    internal::check_same_context(context_, plaintext.context());
    const PlaintextBody& body = plaintext.body();
    return decode_slots(state_->by_log_slots[std::countr_zero(body.slots)], body).re;
}

std::vector<std::complex<double>> CkksEncoder::decode_complex(const Plaintext& plaintext) const {
    internal::check_same_context(context_, plaintext.context());
    const PlaintextBody& body = plaintext.body();
    const Slots slots = decode_slots(state_->by_log_slots[std::countr_zero(body.slots)], body);
    std::vector<std::complex<double>> out(slots.re.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = {slots.re[i], slots.im[i]};
    return out;
}

}  // namespace ward::he
