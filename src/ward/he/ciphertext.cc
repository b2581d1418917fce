#include "ward/he/ciphertext.h"

#include <cmath>

#include "ward/he/internal/bodies.h"

namespace ward::he {

Plaintext::Plaintext(std::shared_ptr<const internal::PlaintextBody> body)
    : body_(std::move(body)) {}
const ContextPtr& Plaintext::context() const { return body_->context; }
int Plaintext::level() const {
    if (body_->context->parameters().scheme == Scheme::kBfv) return 0;
    return static_cast<int>(body_->poly.limbs()) - body_->context->parameters().base_primes;
}
double Plaintext::scale() const { return body_->scale; }
double Plaintext::value_bound() const { return body_->value_bound; }
double Plaintext::error_bound() const { return body_->error_bound; }

Ciphertext::Ciphertext(std::shared_ptr<const internal::CiphertextBody> body)
    : body_(std::move(body)) {}
const ContextPtr& Ciphertext::context() const { return body_->context; }
int Ciphertext::level() const {
    return static_cast<int>(body_->limbs()) - body_->context->parameters().base_primes;
}
int Ciphertext::size() const { return static_cast<int>(body_->parts.size()); }
double Ciphertext::scale() const { return body_->scale; }
double Ciphertext::value_bound() const { return body_->value_bound; }
double Ciphertext::error_bound() const { return body_->error_bound; }
double Ciphertext::precision_bits() const { return -std::log2(body_->error_bound); }
double Ciphertext::noise_budget_bound() const { return -1 - std::log2(body_->error_bound); }

}  // namespace ward::he
