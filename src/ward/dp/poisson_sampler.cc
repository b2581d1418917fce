#include "ward/dp/poisson_sampler.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/bytes.h"
#include "ward/core/error.h"

namespace ward::dp {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr size_t kBatchWords = 4096;

// The next `bits` binary digits of remainder / denominator; the remainder moves on.
uint64_t next_digits(uint64_t& remainder, uint64_t denominator, int bits) {
    const Wide scaled = static_cast<Wide>(remainder) << bits;
    remainder = static_cast<uint64_t>(scaled % denominator);
    return static_cast<uint64_t>(scaled / denominator);
}

// After a tie in the first 32 bits: is the uniform below the probability?
bool below_after_tie(const uint64_t (&digits)[3], Random& random) {
    for (uint64_t digit : digits) {
        const uint64_t draw = random.next_u64();
        if (draw != digit) return draw < digit;
    }
    return false;
}

}  // namespace

PoissonSampler::PoissonSampler(int64_t expected_batch, int64_t examples) {
    if (expected_batch < 1 || expected_batch > examples) {
        throw Error(ErrorCode::kUsage,
                    "expected batch must be between 1 and the number of examples (" +
                        std::to_string(examples) + "), got " + std::to_string(expected_batch));
    }
    *this = PoissonSampler(static_cast<uint64_t>(expected_batch), static_cast<uint64_t>(examples),
                           examples);
}

PoissonSampler::PoissonSampler(uint64_t numerator, uint64_t denominator, int64_t count)
    : numerator_(numerator), denominator_(denominator), count_(count) {
    if (numerator == 0 || numerator > denominator || count < 0) {
        throw Error(ErrorCode::kUsage,
                    "sampling needs 0 < numerator <= denominator and a count >= 0, got " +
                        std::to_string(numerator) + " / " + std::to_string(denominator) + " of " +
                        std::to_string(count));
    }
    if (numerator == denominator) return;
    uint64_t remainder = numerator;
    first_digit_ = static_cast<uint32_t>(next_digits(remainder, denominator, 32));
    for (uint64_t& digit : later_digits_) digit = next_digits(remainder, denominator, 64);
}

std::vector<int64_t> PoissonSampler::sample(Random& random) const {
    std::vector<int64_t> batch;
    if (numerator_ == denominator_) {
        batch.resize(static_cast<size_t>(count_));
        for (int64_t i = 0; i < count_; ++i) batch[static_cast<size_t>(i)] = i;
        return batch;
    }
    const double mean = probability() * static_cast<double>(count_);
    batch.reserve(static_cast<size_t>(mean + 6 * std::sqrt(mean) + 16));
    SecretBytes storage(kBatchWords * sizeof(uint32_t));
    const std::span<uint32_t> words(reinterpret_cast<uint32_t*>(storage.reveal_mutable().data()),
                                    kBatchWords);
    for (int64_t first = 0; first < count_; first += static_cast<int64_t>(kBatchWords)) {
        const size_t n = std::min(kBatchWords, static_cast<size_t>(count_ - first));
        random.fill(words.first(n));
        for (size_t i = 0; i < n; ++i) {
            if (words[i] > first_digit_) [[likely]]
                continue;
            if (words[i] < first_digit_ || below_after_tie(later_digits_, random)) {
                batch.push_back(first + static_cast<int64_t>(i));
            }
        }
    }
    return batch;
}

double PoissonSampler::probability() const {
    return static_cast<double>(numerator_) / static_cast<double>(denominator_);
}

}  // namespace ward::dp
