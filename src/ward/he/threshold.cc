#include "ward/he/threshold.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/internal/flooding.h"
#include "ward/he/internal/rlwe.h"

namespace ward::he {

namespace internal {

struct KeyShareBody {
    ContextPtr context;
    int index = 0, parties = 0;
    Poly residues;  // over the data primes, transformed; all shares add up to the secret
};

struct PartialDecryptionBody {
    ContextPtr context;
    int index = 0, parties = 0;
    uint64_t first_word = 0, last_word = 0;  // of the ciphertext it belongs to
    Poly residues;
    double noise_bound = 0;  // of a slot
};

}  // namespace internal

namespace {

using internal::CiphertextBody;
using internal::Poly;
using internal::Ring;

// Messages are decoded from two primes at most.
constexpr size_t kMostLimbs = 2;

// 128 bits of a SHA-256 over all residues: no two ciphertexts can be made to share them.
void mark(const CiphertextBody& c, uint64_t& first, uint64_t& last) {
    Sha256 digest;
    for (const Poly& part : c.parts) {
        for (size_t i = 0; i < part.limbs(); ++i) {
            digest.update(ByteView(reinterpret_cast<const uint8_t*>(part.limb(i)),
                                   c.context->degree() * sizeof(uint64_t)));
        }
    }
    const std::string hex = digest.hex();
    first = std::stoull(hex.substr(0, 16), nullptr, 16);
    last = std::stoull(hex.substr(16, 16), nullptr, 16);
}

Poly uniform(const Ring& ring, size_t limbs, Random& random) {
    auto seed = internal::random_seed(random);
    Poly out(ring.degree(), limbs);
    out.secret();
    for (size_t i = 0; i < limbs; ++i) {
        internal::sample_uniform(seed, i, ring.modulus(i), out.limb(i), ring.degree());
    }
    wipe(seed.data(), seed.size());
    return out;
}

}  // namespace

KeyShare::KeyShare(std::unique_ptr<const internal::KeyShareBody> body) : body_(std::move(body)) {}
KeyShare::KeyShare(KeyShare&&) noexcept = default;
KeyShare& KeyShare::operator=(KeyShare&&) noexcept = default;
KeyShare::~KeyShare() = default;

int KeyShare::index() const { return body_->index; }
int KeyShare::parties() const { return body_->parties; }
const ContextPtr& KeyShare::context() const { return body_->context; }

PartialDecryption::PartialDecryption(std::shared_ptr<const internal::PartialDecryptionBody> body)
    : body_(std::move(body)) {}
int PartialDecryption::index() const { return body_->index; }

std::vector<KeyShare> split_secret_key(const SecretKey& secret, int parties, Random& random) {
    if (parties < 2 || parties > 1024) {
        throw Error(ErrorCode::kInvalid, "parties must be 2..1024, got " + std::to_string(parties));
    }
    internal::check_scheme(*secret.context(), Scheme::kCkks);
    const Ring& ring = secret.context()->ring();
    Poly rest = internal::first_rows(secret.body().transformed, ring.data_count());
    rest.secret();
    std::vector<KeyShare> shares;
    for (int i = 0; i < parties; ++i) {
        auto body = std::make_unique<internal::KeyShareBody>();
        body->context = secret.context();
        body->index = i;
        body->parties = parties;
        if (i + 1 < parties) {
            body->residues = uniform(ring, ring.data_count(), random);
            internal::subtract_in_place(ring, rest, body->residues);
        } else {
            body->residues = std::move(rest);
        }
        shares.emplace_back(std::move(body));
    }
    return shares;
}

PartialDecryption partial_decrypt(const KeyShare& share, const Ciphertext& ciphertext,
                                  Random& random, const FloodingOptions& options) {
    const CiphertextBody& c = ciphertext.body();
    internal::check_same_context(share.context(), c.context);
    internal::check_relinearised(c);
    const Ring& ring = c.context->ring();
    const double all = std::sqrt(static_cast<double>(share.parties()));
    const internal::Flood flood = internal::sample_flood(
        ring, c.error_bound * c.scale, c.value_bound * c.scale / all, options, random);
    auto body = std::make_shared<internal::PartialDecryptionBody>();
    body->context = c.context;
    body->index = share.index();
    body->parties = share.parties();
    body->noise_bound = flood.bound / c.scale;
    mark(c, body->first_word, body->last_word);
    const size_t limbs = std::min(kMostLimbs, c.limbs()), n = ring.degree();
    body->residues = Poly(n, limbs);
    for (size_t i = 0; i < limbs; ++i) {
        internal::kernels().multiply(ring.modulus(i), c.parts[1].limb(i),
                                     share.body().residues.limb(i), body->residues.limb(i), n);
    }
    internal::add_small(ring, flood.noise, body->residues);
    return PartialDecryption(std::move(body));
}

Plaintext combine(const Ciphertext& ciphertext, std::span<const PartialDecryption> parts) {
    const CiphertextBody& c = ciphertext.body();
    internal::check_relinearised(c);
    const auto expected = parts.empty() ? 0 : static_cast<size_t>(parts[0].body().parties);
    std::vector<bool> seen(expected, false);
    uint64_t first = 0, last = 0;
    mark(c, first, last);
    const Ring& ring = c.context->ring();
    auto body = std::make_shared<internal::PlaintextBody>();
    body->poly = internal::first_rows(c.parts[0], std::min(kMostLimbs, c.limbs()));
    double noise = 0;
    for (const PartialDecryption& part : parts) {
        const internal::PartialDecryptionBody& p = part.body();
        internal::check_same_context(c.context, p.context);
        const auto index = static_cast<size_t>(p.index);
        if (p.first_word != first || p.last_word != last ||
            p.residues.limbs() != body->poly.limbs() ||
            static_cast<size_t>(p.parties) != expected || seen[index]) {
            throw Error(ErrorCode::kInvalid, "the part of party " + std::to_string(p.index) +
                                                 " is of another ciphertext or was given twice");
        }
        seen[index] = true;
        internal::add_in_place(ring, body->poly, p.residues);
        noise += p.noise_bound;
    }
    if (expected == 0 || parts.size() != expected) {
        throw Error(ErrorCode::kInvalid, "the parts of all " + std::to_string(expected) +
                                             " parties are needed, got " +
                                             std::to_string(parts.size()));
    }
    body->context = c.context;
    body->scale = c.scale;
    body->slots = c.slots;
    body->value_bound = c.value_bound;
    body->error_bound = c.error_bound + noise;
    return Plaintext(std::move(body));
}

}  // namespace ward::he
