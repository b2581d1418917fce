// X25519 (RFC 7748), by libsodium.
#pragma once

#include <sodium.h>

#include <optional>

#include "ward/core/bytes.h"
#include "ward/crypto/internal/declassify.h"

namespace ward::crypto::internal {

// Nothing for a point of low order, whose shared secret everybody knows.
inline std::optional<SecretBytes> x25519(ByteView scalar, ByteView point) {
    SecretBytes shared(crypto_scalarmult_curve25519_BYTES);
    const int low_order =
        crypto_scalarmult_curve25519(shared.reveal_mutable().data(), scalar.data(), point.data());
    if (declassify(low_order) != 0) return std::nullopt;
    return shared;
}

}  // namespace ward::crypto::internal
