#include "ward/he/internal/base_conversion.h"

#include <algorithm>
#include <array>

#include "ward/core/error.h"

namespace ward::he::internal {
namespace {
constexpr size_t kMaxPrimes = 64;
constexpr size_t kPieceWords = 512;
}  // namespace

uint64_t product_mod(const std::vector<Modulus>& moduli, const Modulus& q, size_t skip) {
    uint64_t product = q.reduce64(1);
    for (size_t i = 0; i < moduli.size(); ++i) {
        if (i != skip) product = q.multiply(product, q.reduce64(moduli[i].value()));
    }
    return product;
}

BaseConversion::BaseConversion(const std::vector<Modulus>& from, const std::vector<Modulus>& to)
    : from_(from), to_(to) {
    if (from.empty() || from.size() >= kMaxPrimes) {
        throw Error(ErrorCode::kInternal, "base conversion needs 1..63 primes");
    }
    for (size_t i = 0; i < from.size(); ++i) {
        inverse_hats_.push_back(from[i].factor(from[i].invert(product_mod(from, from[i], i))));
        inverses_.push_back(1.0 / static_cast<double>(from[i].value()));
    }
    for (const Modulus& target : to) {
        std::vector<uint64_t> row;
        for (size_t i = 0; i < from.size(); ++i) row.push_back(product_mod(from, target, i));
        row.push_back(target.negate(product_mod(from, target)));
        hats_.push_back(std::move(row));
    }
}

void BaseConversion::convert(const uint64_t* const* in, size_t n, uint64_t* const* out) const {
    const size_t piece = std::min(n, kPieceWords);
    Buffer scratch(scratch_words(piece));
    std::array<const uint64_t*, kMaxPrimes> parts;
    for (size_t start = 0; start < n; start += piece) {
        for (size_t i = 0; i < from_.size(); ++i) parts[i] = in[i] + start;
        prepare(parts.data(), piece, scratch.data());
        for (size_t target = 0; target < to_.size(); ++target) {
            if (out[target] != nullptr) finish(target, piece, scratch.data(), out[target] + start);
        }
    }
}

void BaseConversion::prepare(const uint64_t* const* in, size_t n, uint64_t* scratch) const {
    const Kernels& k = kernels();
    if (from_.size() == 1) {  // shift by half: what is above becomes negative
        k.shift_reduce(from_[0], in[0], from_[0].value() / 2, scratch, n);
        return;
    }
    std::array<const uint64_t*, kMaxPrimes> parts;
    for (size_t i = 0; i < from_.size(); ++i) {
        k.multiply_factor(from_[i], in[i], inverse_hats_[i], scratch + i * n, n);
        parts[i] = scratch + i * n;
    }
    k.rounded_sum(parts.data(), inverses_.data(), from_.size(), scratch + from_.size() * n, n);
}

void BaseConversion::finish(size_t target, size_t n, const uint64_t* scratch, uint64_t* out) const {
    const Kernels& k = kernels();
    const Modulus& q = to_[target];
    if (from_.size() == 1) {
        k.shift_reduce(q, scratch, q.negate(q.reduce64(from_[0].value() / 2)), out, n);
        return;
    }
    std::array<const uint64_t*, kMaxPrimes> parts;
    for (size_t i = 0; i <= from_.size(); ++i) parts[i] = scratch + i * n;
    k.linear_combination(q, parts.data(), hats_[target].data(), from_.size() + 1, out, n);
}

}  // namespace ward::he::internal
