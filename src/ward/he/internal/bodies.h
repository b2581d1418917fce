// What the public handles point to.
#pragma once

#include <optional>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/he/ciphertext.h"
#include "ward/he/internal/key_switch.h"
#include "ward/he/internal/poly.h"
#include "ward/he/keys.h"

namespace ward::he::internal {

struct PlaintextBody {
    ContextPtr context;
    // CKKS: transformed, modulo the first data primes. BFV: one row, coefficients modulo t.
    Poly poly;
    double scale = 1;
    double value_bound = 0;
    double error_bound = 0;
    size_t slots = 0;             // CKKS: period of the slots
    bool bound_declared = false;  // CKKS: value_bound does not come from the values
};

struct CiphertextBody {
    ContextPtr context;
    std::vector<Poly> parts;
    double scale = 1;
    double value_bound = 0;
    double error_bound = 0;  // CKKS: of slots; BFV: of the invariant noise
    size_t slots = 0;
    std::optional<PublicSeed> seed;  // parts[1] is expanded from it

    size_t limbs() const { return parts[0].limbs(); }
};

struct SecretKeyBody {
    ContextPtr context;
    SecretBytes ternary;  // N values -1, 0, 1 as signed bytes
    Poly transformed;     // over all data and special primes
};

struct PublicKeyBody {
    ContextPtr context;
    PublicSeed seed{};
    Poly b, a;  // over the data primes; a is expanded from the seed, stream = row
};

struct GaloisKeyBody {
    SwitchKeyBody key;  // from s to the inverse automorphism of s
    std::vector<uint32_t> places;
};

// Throws Error kInvalid when two objects belong to different parameters.
void check_same_context(const ContextPtr& a, const ContextPtr& b);
// Throws Error kInvalid when an object is not of this scheme.
void check_scheme(const Context& context, Scheme scheme);

std::unique_ptr<const SecretKeyBody> make_secret_key(ContextPtr context, SecretBytes ternary);

}  // namespace ward::he::internal
