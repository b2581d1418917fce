// A generator that gives the same values again, FOR TESTS ONLY.
//
// Noise from a known seed protects nothing. This file therefore belongs to the library
// `ward_core_testing`, which is neither installed nor linked by any program of Ward; no option of a
// program can reach it, because `Random` has no public constructor from a key.
#pragma once

#include <cstdint>

#include "ward/core/random.h"

namespace ward::testonly {

// The generator number `stream` of `seed`: AES-256-CTR like every Random, keyed by SHA-256 of both.
// A test that resumes at step k takes stream k. (A child of fork gets a fresh key here too.)
Random seeded_random(uint64_t seed, uint64_t stream = 0);

}  // namespace ward::testonly
