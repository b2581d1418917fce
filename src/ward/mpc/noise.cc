#include "ward/mpc/noise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "ward/core/error.h"
#include "ward/core/seed_stream.h"
#include "ward/dp/discrete_gaussian.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/internal/join_keys.h"
#include "ward/mpc/internal/row_sums.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/share.h"
#include "ward/mpc/shuffle.h"

namespace ward::mpc {
namespace {

constexpr double kMinSigma = 8;
constexpr double kBoundDeviations = 6;
constexpr double kMaxSum = 0x1p62;  // of n values within 2 B
constexpr size_t kParties = 3;
constexpr size_t kLanes = 8;  // both parts of the noise of three parties, and room

// Uniform, and known to nobody before it is opened.
PublicSeed open_coin(Party& party) {
    SharedMatrix coin(1, sizeof(PublicSeed) / sizeof(Ring));
    party.draw(party.index(), std::span<Ring>(coin.first));
    party.draw((party.index() + 1) % 3, std::span<Ring>(coin.second));
    const RingMatrix opened = open(party, coin);
    PublicSeed out;
    std::memcpy(out.data(), opened.values.data(), out.size());
    return out;
}

Bytes draw_selection(const PublicSeed& seed, size_t count) {
    SeedStream stream(seed, 0);
    Bytes out(internal::selection_bytes(count));
    std::array<uint64_t, SeedStream::kBlockWords> block{};
    for (size_t at = 0; at < out.size(); at += sizeof(block)) {
        stream.next_block(block);
        std::memcpy(&out[at], block.data(), std::min(sizeof(block), out.size() - at));
    }
    return out;
}

// Sums of 44 random subsets of each party's noise: a row for each party.
SharedMatrix subset_sums(const Bytes& selection, const std::array<SharedMatrix, kParties>& noise) {
    const size_t n = noise[0].size();
    RingVector lanes(n * kLanes), sums(internal::kRowSums * kLanes);
    for (size_t i = 0; i < n; ++i) {
        for (size_t p = 0; p < kParties; ++p) {
            lanes[i * kLanes + 2 * p] = noise[p].first[i];
            lanes[i * kLanes + 2 * p + 1] = noise[p].second[i];
        }
        lanes[i * kLanes + 6] = lanes[i * kLanes + 7] = 0;
    }
    internal::row_sums(selection.data(), lanes.data(), n, kLanes, sums.data(), kLanes);
    SharedMatrix out(kParties, internal::kRowSums);
    for (size_t p = 0; p < kParties; ++p) {
        for (size_t r = 0; r < internal::kRowSums; ++r) {
            out.first[p * out.cols + r] = sums[r * kLanes + 2 * p];
            out.second[p * out.cols + r] = sums[r * kLanes + 2 * p + 1];
        }
    }
    return out;
}

bool opens_as_one(Party& party, const SharedBits& bits) {
    return (open(party, internal::all_of(party, bits))[0] & 1) != 0;
}

void require_bounded(Party& party, const std::array<SharedMatrix, kParties>& noise, Ring bound) {
    // No party gives its piece of the coin before all hold their shares of all noise.
    party.synchronize();
    const Bytes selection = draw_selection(open_coin(party), noise[0].size());
    const SharedMatrix sums = subset_sums(selection, noise);
    // Sum + B and B - sum, for each party its own, one behind the other.
    const SharedMatrix sides[] = {add_public(party, sums, bound),
                                  add_public(party, negate(sums), bound)};
    const SharedMatrix room = stack_columns(sides);
    const SharedBits good = is_nonnegative(party, room);
    if (opens_as_one(party, good)) return;
    for (size_t p = 0; p < kParties; ++p) {
        if (opens_as_one(party, internal::part_of_bits(good, p * room.cols, room.cols))) continue;
        throw Error(ErrorCode::kCorrupt,
                    "party " + std::to_string(p) + " has added noise far beyond what was asked for",
                    "it has deviated from the protocol; nothing was opened");
    }
    throw Error(ErrorCode::kInternal, "noise out of bounds is no party's");
}

}  // namespace

namespace internal {

Ring noise_bound(size_t count, double sigma_units) {
    const auto n = static_cast<double>(count);
    const double bound = std::ceil(kBoundDeviations * sigma_units * std::sqrt(n));
    if (!(2 * bound * n < kMaxSum)) {
        throw Error(ErrorCode::kUnsupported,
                    "verified noise on " + std::to_string(count) + " values of deviation " +
                        std::to_string(sigma_units) + " could wrap",
                    "take a smaller network or clipping norm, or security: semi-honest");
    }
    return static_cast<Ring>(bound);
}

SharedMatrix add_verified_noise(Party& party, const RingMatrix& own, double sigma_units) {
    const Ring bound = noise_bound(own.size(), sigma_units);
    std::array<SharedMatrix, kParties> noise;
    for (int owner = 0; owner < 3; ++owner) {
        noise[static_cast<size_t>(owner)] =
            share(party, owner, party.index() == owner ? &own : nullptr, own.rows, own.cols);
    }
    require_bounded(party, noise, bound);
    return add(add(noise[0], noise[1]), noise[2]);
}

}  // namespace internal

SharedMatrix discrete_gaussian_noise(Party& party, size_t rows, size_t cols, double sigma_units) {
    const net::TrafficLedger::Scope scope(party.ledger(), "noise");
    if (!(sigma_units >= kMinSigma && sigma_units <= dp::DiscreteGaussian::kMaxSigma32)) {
        throw Error(ErrorCode::kUsage, "the deviation of noise must be from 8 to 2^25 units, got " +
                                           std::to_string(sigma_units));
    }
    const dp::DiscreteGaussian law(sigma_units / std::sqrt(2.0));
    std::vector<int32_t> own(rows * cols);
    law.sample_vartime(party.random(), std::span<int32_t>(own));
    RingMatrix values(rows, cols);
    for (size_t i = 0; i < own.size(); ++i) {
        values.values[i] = static_cast<Ring>(static_cast<int64_t>(own[i]));
    }
    wipe(own.data(), own.size() * sizeof(int32_t));
    if (party.verifier() != nullptr && values.size() > 0) {
        return internal::add_verified_noise(party, values, sigma_units);
    }
    SharedMatrix out(rows, cols);
    out.first = std::move(values.values);
    internal::reshare(party, out);
    return out;
}

}  // namespace ward::mpc
