#include "ward/he/internal/sampling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "ward/he/internal/kernels.h"
#include "ward/he/internal/loops.h"
#include "ward/he/internal/noise.h"

namespace ward::he::internal {
namespace {

// thresholds[k] = 2^63 P(|x| <= k): the magnitude is the number of thresholds that a uniform number
// below 2^63 reaches.
std::array<int64_t, kErrorCut> make_thresholds() {
    std::array<long double, kErrorCut + 1> weights;
    long double total = 0;
    for (int k = kErrorCut; k >= 0; --k) {
        const long double x = static_cast<long double>(k) / kErrorSigma;
        weights[k] = (k == 0 ? 1.0L : 2.0L) * std::exp(-x * x / 2);
        total += weights[k];
    }
    std::array<int64_t, kErrorCut> thresholds;
    long double above = 0;  // summed from the small end, where rounding would matter
    for (int k = kErrorCut; k > 0; --k) {
        above += weights[k];
        // Tails below 2^-63 count as 2^-63: a threshold must stay below 2^63.
        const auto tail = static_cast<uint64_t>(above / total * 0x1p63L);
        thresholds[k - 1] = static_cast<int64_t>((uint64_t{1} << 63) - std::max<uint64_t>(tail, 1));
    }
    return thresholds;
}

std::span<uint64_t> words_of(SmallPoly& poly) {
    const auto values = poly.values();
    return {reinterpret_cast<uint64_t*>(values.data()), values.size()};
}

}  // namespace

void sample_uniform(const PublicSeed& seed, uint64_t index, const Modulus& q, uint64_t* out,
                    size_t n) {
    SeedStream stream(seed, index);
    alignas(64) std::array<uint64_t, SeedStream::kBlockWords> block;
    alignas(64) std::array<uint64_t, SeedStream::kBlockWords + 8> kept;
    const Kernels& k = kernels();
    for (size_t done = 0; done < n;) {
        stream.next_block(block);
        if (n - done >= block.size()) {
            done += k.accept_uniform(q, block.data(), block.size(), out + done, n - done);
            continue;
        }
        const size_t found = k.accept_uniform(q, block.data(), block.size(), kept.data(), n - done);
        for (size_t i = 0; i < found; ++i) out[done + i] = kept[i];
        done += found;
    }
}

PublicSeed random_seed(Random& random) {
    PublicSeed seed;
    random.fill(std::span<uint8_t>(seed));
    return seed;
}

SmallPoly sample_ternary(Random& random, size_t degree) {
    SmallPoly poly(degree);
    random.fill(words_of(poly));
    for (uint64_t& word : words_of(poly)) {
        word = static_cast<uint64_t>((static_cast<Uint128>(word) * 3) >> 64) - 1;
    }
    return poly;
}

SmallPoly sample_error(Random& random, size_t degree) {
    static const std::array<int64_t, kErrorCut> thresholds = make_thresholds();
    SmallPoly poly(degree);
    random.fill(words_of(poly));
    kernels().invert_gaussian(thresholds.data(), poly.values().data(), degree);
    return poly;
}

SmallPoly sample_wide_error(Random& random, size_t degree, double& sigma) {
    SmallPoly sum = sample_error(random, degree);
    double variance = kErrorSigma * kErrorSigma;
    int64_t weight = 1;
    while (variance < sigma * sigma) {
        weight *= 2;
        const SmallPoly term = sample_error(random, degree);
        for (size_t i = 0; i < degree; ++i) sum.values()[i] += weight * term.values()[i];
        variance +=
            kErrorSigma * kErrorSigma * static_cast<double>(weight) * static_cast<double>(weight);
    }
    sigma = std::sqrt(variance);
    return sum;
}

void small_to_residues(const SmallPoly& x, const Modulus& q, uint64_t* out) {
    kernels().small_to_residues(x.values().data(), static_cast<int64_t>(q.value()), out,
                                x.values().size());
}

}  // namespace ward::he::internal
