// Random rows in bulk: a normal deviate in about a nanosecond.
//
// 16 generators xoshiro128++ side by side (Blackman, Vigna: Scrambled linear pseudorandom number
// generators, ACM TOMS 2021), their states by splitmix64 from the seed; normal deviates by Box and
// Muller in single precision. Repeatable on every processor and whatever the number of threads.
// Of proposals of attacks: no secret, and no noise that protects anything.
#pragma once

#include <cstdint>

namespace ward::attack {

// out[j] is standard normal, |out[j]| < 6.8. Equal seeds give equal rows.
void gaussian_row(uint64_t seed, float* out, int64_t n);

// out[j] is 1 or -1, each as often.
void sign_row(uint64_t seed, float* out, int64_t n);

}  // namespace ward::attack
