#include "ward/he/context.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/he/internal/ring.h"

namespace ward::he {
namespace {

[[noreturn]] void invalid(const std::string& message) {
    throw Error(ErrorCode::kInvalid, message,
                "take the set from ckks_parameters or bfv_parameters");
}

void check_shape(const Parameters& p) {
    if (p.log_degree < internal::kMinLogDegree || p.log_degree > internal::kMaxLogDegree) {
        invalid("log_degree must be 5..17, got " + std::to_string(p.log_degree));
    }
    const size_t data = p.data_primes.size();
    if (data < 1 || data > 40) {
        invalid("the number of data primes must be 1..40, got " + std::to_string(data));
    }
    if (p.special_primes.empty() || p.special_primes.size() > 40) {
        invalid("the number of special primes must be 1..40, got " +
                std::to_string(p.special_primes.size()));
    }
    if (p.digit_primes < 1 || p.digit_primes > static_cast<int>(data)) {
        invalid("digit_primes must be 1.." + std::to_string(data) + ", got " +
                std::to_string(p.digit_primes));
    }
    std::set<uint64_t> distinct(p.data_primes.begin(), p.data_primes.end());
    distinct.insert(p.special_primes.begin(), p.special_primes.end());
    if (distinct.size() != data + p.special_primes.size()) invalid("primes must be distinct");
}

void check_scheme(const Parameters& p) {
    if (p.scheme == Scheme::kCkks) {
        if (p.scale_bits < 10 || p.scale_bits > 60) {
            invalid("scale_bits must be 10..60, got " + std::to_string(p.scale_bits));
        }
        if (p.base_primes < 1 || p.base_primes > static_cast<int>(p.data_primes.size())) {
            invalid("base_primes must be 1.." + std::to_string(p.data_primes.size()) + ", got " +
                    std::to_string(p.base_primes));
        }
        return;
    }
    if (p.base_primes != 1) invalid("base_primes must be 1 for BFV");
    if (std::count(p.data_primes.begin(), p.data_primes.end(), p.plaintext_modulus) != 0) {
        invalid("the plaintext modulus must not be a data prime");
    }
}

void check_security(const Parameters& p) {
    const int limit = max_modulus_bits(p.log_degree, p.security);
    const double bits = modulus_bits(p);
    if (bits <= limit) return;
    throw Error(ErrorCode::kRefused,
                "primes of N = " + std::to_string(size_t{1} << p.log_degree) +
                    " must have at most " + std::to_string(limit) + " bits together for " +
                    std::to_string(static_cast<int>(p.security)) + "-bit security, got " +
                    std::to_string(static_cast<int>(std::ceil(bits))),
                "take a larger ring or fewer primes (tables of ia.cr/2024/463)");
}

std::string describe(const Parameters& p) {
    std::string text = "ward he parameters 1;" + std::to_string(static_cast<int>(p.scheme)) + ";" +
                       std::to_string(p.log_degree) + ";" + std::to_string(p.digit_primes) + ";" +
                       std::to_string(p.scale_bits) + ";" + std::to_string(p.base_primes) + ";" +
                       std::to_string(p.plaintext_modulus) + ";data";
    for (uint64_t q : p.data_primes) text += "," + std::to_string(q);
    text += ";special";
    for (uint64_t q : p.special_primes) text += "," + std::to_string(q);
    return text;
}

}  // namespace

Context::Context(const Parameters& parameters)
    : parameters_(parameters),
      id_(sha256_hex(describe(parameters)).substr(0, 32)),
      ring_(std::make_unique<internal::Ring>(parameters)) {}

Context::~Context() = default;

std::shared_ptr<const Context> Context::create(const Parameters& parameters) {
    check_shape(parameters);
    check_security(parameters);
    return create_insecure(parameters);
}

std::shared_ptr<const Context> Context::create_insecure(const Parameters& parameters) {
    check_shape(parameters);
    check_scheme(parameters);
    return std::shared_ptr<const Context>(new Context(parameters));
}

size_t Context::slots() const {
    return parameters_.scheme == Scheme::kCkks ? degree() / 2 : degree();
}

int Context::max_level() const {
    return static_cast<int>(parameters_.data_primes.size()) - parameters_.base_primes;
}

}  // namespace ward::he
