#include "ward/he/internal/flooding.h"

#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/he/internal/kernels.h"
#include "ward/he/internal/ntt.h"

namespace ward::he::internal {

Flood sample_flood(const Ring& ring, double error, double room, const FloodingOptions& options,
                   Random& random) {
    if (options.bits < 1 || options.bits > 60) {
        throw Error(ErrorCode::kInvalid,
                    "flooding bits must be 1..60, got " + std::to_string(options.bits));
    }
    double sigma = std::ldexp(error, options.bits);
    if (sigma >= 0x1p50 || ring.noise().random(sigma * sigma) >= room) {
        throw Error(ErrorCode::kRefused,
                    "flooding by 2^" + std::to_string(options.bits) + " would drown the values",
                    "flood by fewer bits, or CKKS: encode at a larger scale (scale_bits, --scale-bits "
                    "of plan, serve and encrypt-model); BFV: more depth or a lower level");
    }
    SmallPoly noise = sample_wide_error(random, ring.degree(), sigma);
    return {std::move(noise), ring.noise().random(sigma * sigma)};
}

void add_small(const Ring& ring, const SmallPoly& small, Poly& poly) {
    const size_t n = ring.degree();
    Poly row(n, 1);
    row.secret();
    for (size_t i = 0; i < poly.limbs(); ++i) {
        const Modulus& q = ring.modulus(i);
        kernels().reduce_signed(q, small.values().data(), row.limb(0), n);
        kernels().ntt_forward(ring.table(i), row.limb(0), row.limb(0));
        kernels().add(q, poly.limb(i), row.limb(0), poly.limb(i), n);
    }
}

}  // namespace ward::he::internal
