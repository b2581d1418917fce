#include "ward/he/internal/noise.h"

namespace ward::he::internal {

double bfv_modulus_bits(int log_degree, uint64_t plaintext_modulus, int depth) {
    const BfvNoise bfv{{std::exp2(log_degree)}, static_cast<double>(plaintext_modulus)};
    for (double bits = 20; bits < 1000; bits += 1) {
        double noise = bfv.fresh_public(bits);
        for (int i = 0; i < depth; ++i) {
            noise = bfv.multiplied(noise, noise, bits) +
                    bfv.of_error(bfv.noise.key_switch(static_cast<int>(bits / 30) + 1, 1.0), bits);
        }
        if (noise < 0.25) return bits;
    }
    return INFINITY;
}

}  // namespace ward::he::internal
