// The prime-order group ristretto255 (RFC 9496), by libsodium: hashing into it and blinding.
//
// For protocols that compare encrypted identifiers: with secret scalars x and y,
// (H(id)^x)^y = (H(id)^y)^x, and who knows neither scalar cannot tell H(id)^x from a uniform
// element (decisional Diffie-Hellman, H a random oracle).
//
// Thread safety: free functions.
#pragma once

#include <array>
#include <cstdint>

#include "ward/core/bytes.h"

namespace ward::crypto {

inline constexpr size_t kRistrettoBytes = 32;
using RistrettoElement = std::array<uint8_t, kRistrettoBytes>;  // canonical encoding

// A uniform non-zero exponent.
SecretBytes ristretto_random_scalar();

// SHA-512 of the input, mapped as in RFC 9496 section 4.3.4. Separate uses by what the input begins
// with.
RistrettoElement hash_to_ristretto(ByteView input);

// element^scalar in constant time (71 us on one core). Throws Error kCorrupt for bytes that encode
// no element, or the identity, which would reveal that anything was blinded to the same.
RistrettoElement ristretto_power(const RistrettoElement& element, const SecretBytes& scalar);

}  // namespace ward::crypto
