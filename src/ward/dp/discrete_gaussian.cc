#include "ward/dp/discrete_gaussian.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/dp/internal/dgauss_kernels.h"

namespace ward::dp {
namespace {

constexpr size_t kBatch = 2048;  // candidates at a time: 16 KiB of random words
constexpr size_t kOverhang = 16;
constexpr size_t kParallelChunk = 65536;

// Random words and unused samples are noise that nobody may see: wiped at the end.
template <typename Int>
struct Scratch {
    Scratch() {}  // NOLINT: the arrays are left as they are
    ~Scratch() {
        wipe(words, sizeof words);
        wipe(samples, sizeof samples);
    }
    alignas(64) uint32_t words[2 * kBatch];
    alignas(64) Int samples[kBatch + kOverhang];
};

// Candidates for `wanted` samples: a few more than expected to be accepted, in whole vectors.
size_t batch_for(size_t wanted) { return std::min(kBatch, (wanted + wanted / 32 + 31) / 16 * 16); }

template <typename Int, typename Kernel>
void sample_with(Kernel kernel, const internal::DgaussTable& table, Random& random,
                 std::span<Int> out) {
    Scratch<Int> scratch;
    size_t done = 0;
    while (done < out.size()) {
        const size_t wanted = out.size() - done;
        const size_t n = batch_for(wanted);
        uint32_t* words = scratch.words;
        random.fill(std::span<uint32_t>(words, 2 * n));
        if (wanted >= n + kOverhang) {
            done += kernel(table, words, words + n, n, out.data() + done, random);
            continue;
        }
        const size_t got = kernel(table, words, words + n, n, scratch.samples, random);
        const size_t count = std::min(got, wanted);
        std::copy_n(scratch.samples, count, out.data() + done);
        done += count;
    }
}

std::string sigma_error(double sigma, const char* expected) {
    std::ostringstream text;
    text << "sigma of the discrete Gaussian must be " << expected << ", got " << sigma;
    return text.str();
}

}  // namespace

DiscreteGaussian::DiscreteGaussian(double sigma) {
    if (!(sigma >= kMinSigma && sigma <= kMaxSigma)) {
        throw Error(ErrorCode::kUsage, sigma_error(sigma, "between 2^-10 and 2^30"),
                    "choose another lattice step");
    }
    table_ = std::make_shared<const internal::DgaussTable>(internal::make_dgauss_table(sigma));
}

double DiscreteGaussian::sigma() const { return table_->sigma; }

void DiscreteGaussian::sample_vartime(Random& random, std::span<int32_t> out) const {
    if (sigma() > kMaxSigma32) {
        throw Error(ErrorCode::kUsage, sigma_error(sigma(), "at most 2^25 for 32-bit samples"),
                    "sample 64-bit integers");
    }
    static const internal::DgaussKernel kernel = internal::dgauss_kernel();
    sample_with(kernel, *table_, random, out);
}

void DiscreteGaussian::sample_vartime(Random& random, std::span<int64_t> out) const {
    if (sigma() > kMaxSigma32) {
        sample_with(internal::dgauss_wide, *table_, random, out);
        return;
    }
    SecretBytes buffer(out.size() * sizeof(int32_t));
    const std::span<int32_t> narrow(reinterpret_cast<int32_t*>(buffer.reveal_mutable().data()),
                                    out.size());
    sample_vartime(random, narrow);
    std::copy(narrow.begin(), narrow.end(), out.begin());
}

void DiscreteGaussian::sample_parallel_vartime(Random& random, std::span<int32_t> out) const {
    const size_t chunks = (out.size() + kParallelChunk - 1) / kParallelChunk;
    std::vector<Random> generators;
    generators.reserve(chunks);
    for (size_t i = 0; i < chunks; ++i) generators.push_back(random.split());
    parallel_for(0, static_cast<int64_t>(chunks), 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            const auto index = static_cast<size_t>(i);
            const size_t begin = index * kParallelChunk;
            sample_vartime(generators[index],
                           out.subspan(begin, std::min(kParallelChunk, out.size() - begin)));
        }
    });
}

double DiscreteGaussian::log_probability(int64_t x) const {
    const double z = static_cast<double>(x) / table_->sigma;
    return -z * z / 2 - table_->log_normaliser;
}

// Operations of dgauss_accept_exactly err by under 2^-96 in all; every probability and the total
// are sums of such products.
double DiscreteGaussian::relative_error() const { return 0x1p-92; }

double DiscreteGaussian::tail_mass() const { return table_->tail; }

}  // namespace ward::dp
