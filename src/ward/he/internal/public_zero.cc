#include "ward/he/internal/public_zero.h"

#include "ward/he/internal/kernels.h"
#include "ward/he/internal/sampling.h"

namespace ward::he::internal {

void add_public_zero(const PublicKeyBody& key, Random& random, Poly& c0, Poly& c1) {
    const Ring& ring = key.context->ring();
    const Kernels& k = kernels();
    const size_t n = ring.degree();
    const SmallPoly ephemeral = sample_ternary(random, n);
    const SmallPoly error0 = sample_error(random, n), error1 = sample_error(random, n);
    Poly work(n, 2);
    work.secret();
    for (size_t i = 0; i < c0.limbs(); ++i) {
        const NttTable& table = ring.table(i);
        const Modulus& q = table.modulus();
        small_to_residues(ephemeral, q, work.limb(0));
        k.ntt_forward(table, work.limb(0), work.limb(0));
        const auto add = [&](const SmallPoly& error, const Poly& mask, Poly& c) {
            small_to_residues(error, q, work.limb(1));
            k.ntt_forward(table, work.limb(1), work.limb(1));
            k.add(q, c.limb(i), work.limb(1), c.limb(i), n);
            k.multiply_add(q, mask.limb(i), work.limb(0), c.limb(i), c.limb(i), n);
        };
        add(error0, key.b, c0);
        add(error1, key.a, c1);
    }
}

}  // namespace ward::he::internal
