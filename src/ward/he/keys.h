// Secret, public and evaluation keys.
//
// The secret key decrypts and makes the others; it stays with the owner of the data. The public key
// encrypts. Evaluation keys (relinearisation, rotation) let a server compute; they are as large as
// the parameters say and public. Threat: whoever holds public and evaluation keys and ciphertexts
// learns nothing about messages (IND-CPA under RLWE with circular security); decryptions that leave
// the owner need decrypt_for_release (encrypt.h).
//
// Thread safety: immutable after construction.
#pragma once

#include <map>
#include <memory>
#include <span>

#include "ward/core/random.h"
#include "ward/he/context.h"

namespace ward::he {

namespace internal {
struct SecretKeyBody;
struct PublicKeyBody;
struct SwitchKeyBody;
struct GaloisKeyBody;
}  // namespace internal

// Ternary and uniform. Wiped when it goes; move-only.
class SecretKey {
  public:
    static SecretKey generate(ContextPtr context, Random& random);
    explicit SecretKey(std::unique_ptr<const internal::SecretKeyBody> body);
    SecretKey(SecretKey&&) noexcept;
    SecretKey& operator=(SecretKey&&) noexcept;
    ~SecretKey();

    const ContextPtr& context() const;
    const internal::SecretKeyBody& body() const { return *body_; }

  private:
    std::unique_ptr<const internal::SecretKeyBody> body_;
};

class PublicKey {
  public:
    static PublicKey generate(const SecretKey& secret, Random& random);
    explicit PublicKey(std::shared_ptr<const internal::PublicKeyBody> body);

    const ContextPtr& context() const;
    const internal::PublicKeyBody& body() const { return *body_; }

  private:
    std::shared_ptr<const internal::PublicKeyBody> body_;
};

// Brings the product of two ciphertexts back to two polynomials.
class RelinKey {
  public:
    // For ciphertexts up to `max_level` (-1: all): a lower one makes a smaller key.
    static RelinKey generate(const SecretKey& secret, Random& random, int max_level = -1);
    RelinKey(ContextPtr context, std::shared_ptr<const internal::SwitchKeyBody> body);

    const ContextPtr& context() const { return context_; }
    const internal::SwitchKeyBody& body() const { return *body_; }

  private:
    ContextPtr context_;
    std::shared_ptr<const internal::SwitchKeyBody> body_;
};

// One key for each rotation that will be used.
class GaloisKeys {
  public:
    // CKKS: rotation by `steps` of all slots to the left (negative: right). BFV: of both rows.
    // `conjugation` adds complex conjugation (CKKS) or the exchange of the rows (BFV).
    static GaloisKeys generate(const SecretKey& secret, std::span<const int> steps,
                               bool conjugation, Random& random, int max_level = -1);
    explicit GaloisKeys(ContextPtr context) : context_(std::move(context)) {}

    const ContextPtr& context() const { return context_; }
    bool has(uint64_t element) const { return keys_.contains(element); }
    size_t size() const { return keys_.size(); }

    // Of the automorphism X -> X^element. Throws Error kNotFound.
    const internal::GaloisKeyBody& key(uint64_t element) const;
    void insert(uint64_t element, std::shared_ptr<const internal::GaloisKeyBody> key);
    const std::map<uint64_t, std::shared_ptr<const internal::GaloisKeyBody>>& all() const {
        return keys_;
    }

  private:
    ContextPtr context_;
    std::map<uint64_t, std::shared_ptr<const internal::GaloisKeyBody>> keys_;
};

// The element of the Galois group that rotates by `steps`; 2N - 1 conjugates or exchanges rows.
uint64_t rotation_element(const Context& context, int steps);
uint64_t conjugation_element(const Context& context);

}  // namespace ward::he
