#include "ward/crypto/ristretto.h"

#include <sodium.h>

#include "ward/core/error.h"
#include "ward/core/random.h"

namespace ward::crypto {

SecretBytes ristretto_random_scalar() {
    // 64 uniform bytes modulo the order: a distance of 2^-259 from uniform.
    SecretBytes wide(crypto_core_ristretto255_NONREDUCEDSCALARBYTES);
    SecretBytes out(crypto_core_ristretto255_SCALARBYTES);
    Random random = Random::from_system();
    do {
        random.fill(wide.reveal_mutable());
        crypto_core_ristretto255_scalar_reduce(out.reveal_mutable().data(), wide.reveal().data());
    } while (sodium_is_zero(out.reveal().data(), out.size()) == 1);
    return out;
}

RistrettoElement hash_to_ristretto(ByteView input) {
    std::array<uint8_t, crypto_hash_sha512_BYTES> digest;
    crypto_hash_sha512(digest.data(), input.data(), input.size());
    RistrettoElement out;
    crypto_core_ristretto255_from_hash(out.data(), digest.data());
    return out;
}

RistrettoElement ristretto_power(const RistrettoElement& element, const SecretBytes& scalar) {
    RistrettoElement out;
    if (crypto_scalarmult_ristretto255(out.data(), scalar.reveal().data(), element.data()) != 0) {
        throw Error(ErrorCode::kCorrupt,
                    "32 bytes that are no element of ristretto255, or its identity");
    }
    return out;
}

}  // namespace ward::crypto
