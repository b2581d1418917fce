#include "ward/mpc/noise.h"

#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/dp/discrete_gaussian.h"
#include "ward/mpc/multiply.h"

namespace ward::mpc {
namespace {

constexpr double kMinSigma = 8;

}  // namespace

SharedMatrix discrete_gaussian_noise(Party& party, size_t rows, size_t cols, double sigma_units) {
    const net::TrafficLedger::Scope scope(party.ledger(), "noise");
    party.require_semi_honest("the drawing of noise");
    if (!(sigma_units >= kMinSigma && sigma_units <= dp::DiscreteGaussian::kMaxSigma32)) {
        throw Error(ErrorCode::kUsage, "the deviation of noise must be from 8 to 2^25 units, got " +
                                           std::to_string(sigma_units));
    }
    const dp::DiscreteGaussian law(sigma_units / std::sqrt(2.0));
    std::vector<int32_t> own(rows * cols);
    law.sample_vartime(party.random(), std::span<int32_t>(own));
    SharedMatrix out(rows, cols);
    for (size_t i = 0; i < own.size(); ++i) {
        out.first[i] = static_cast<Ring>(static_cast<int64_t>(own[i]));
    }
    wipe(own.data(), own.size() * sizeof(int32_t));
    internal::reshare(party, out);
    return out;
}

}  // namespace ward::mpc
