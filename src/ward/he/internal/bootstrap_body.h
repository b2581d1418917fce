// What bootstrapping keeps: keys between the secrets, transforms, constants.
#pragma once

#include <memory>
#include <vector>

#include "ward/he/bootstrap.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/linear_transform.h"

namespace ward::he::internal {

inline constexpr int kSparseWeight = 64;    // of the sparse secret
inline constexpr int kOverflow = 24;        // |I| stays below
inline constexpr int kDoublings = 4;        // of the angle
inline constexpr int kCosineDegree = 31;    // of the series, over 2 pi kOverflow / 2^kDoublings
inline constexpr int kArcsineDepth = 2;
inline constexpr int kEvaluationBits = 49;  // scale and primes while the modulus is taken

// Levels that taking the modulus needs.
int modulus_depth();

struct BootstrapKeysBody {
    ContextPtr context;
    ContextPtr small;         // the first prime and one special prime
    SwitchKeyBody to_sparse;  // in `small`
    SwitchKeyBody to_dense;   // in `context`, for all primes
    RelinKey relin;
    GaloisKeys galois;
};

struct BootstrapState {
    ContextPtr context;
    ContextPtr small;
    BootstrapPlan plan;
    std::vector<LinearTransform> to_coefficients, to_slots;
    std::vector<double> cosine;  // Chebyshev coefficients
    Poly imaginary;              // the monomial whose slots are all i
};

// The ring of the first prime alone.
ContextPtr small_context(const Context& context);
// Transforms in the order of use, for the levels of the plan; `state` has context and plan.
void make_transforms(BootstrapState& state);
// Rotations of ciphertexts with repeated slots that add up what is between the slots.
std::vector<int> gathering_rotations(const BootstrapPlan& plan);

}  // namespace ward::he::internal
