#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/he/bootstrap.h"
#include "ward/he/internal/bootstrap_body.h"
#include "ward/he/internal/fourier_factors.h"
#include "ward/he/internal/ntt.h"
#include "ward/he/internal/rlwe.h"
#include "ward/he/polynomial.h"

namespace ward::he {
namespace {

using internal::kMaxModulusBits;
using internal::Poly;
using internal::Ring;

// kSparseWeight places of random sign. Every place is touched for each of them; how many draws met
// a place already taken shows in the time, but not which.
SecretBytes sparse_secret(size_t degree, Random& random) {
    SecretBytes out(degree);
    std::span<uint8_t> values = out.reveal_mutable();
    std::fill(values.begin(), values.end(), uint8_t{0});
    for (int drawn = 0; drawn < internal::kSparseWeight;) {
        const uint64_t word = random.next_u64();
        const uint64_t place = word & (degree - 1);
        const auto sign = static_cast<uint8_t>(1 - 2 * static_cast<int>(word >> 63));
        unsigned taken = 0;
        for (size_t i = 0; i < degree; ++i) {
            taken |= (0U - static_cast<unsigned>(i == place)) & values[i];
        }
        const unsigned is_free = taken == 0 ? 1 : 0;
        for (size_t i = 0; i < degree; ++i) {
            const unsigned here = 0U - (static_cast<unsigned>(i == place) & is_free);
            values[i] = static_cast<uint8_t>(values[i] | (here & sign));
        }
        drawn += static_cast<int>(is_free);
    }
    return out;
}

std::vector<int> rotations_of(const std::vector<internal::SparseDiagonals>& factors, size_t index,
                              int period) {
    std::vector<int> numbers;
    for (const auto& [k, places] : factors[index]) numbers.push_back(k);
    return LinearTransform::steps(numbers, period).rotations;
}

}  // namespace

namespace internal {

int modulus_depth() { return polynomial_depth(kCosineDegree) + kDoublings + kArcsineDepth; }

ContextPtr small_context(const Context& context) {
    Parameters p;
    p.scheme = Scheme::kCkks;
    p.log_degree = context.parameters().log_degree;
    p.scale_bits = context.parameters().scale_bits;
    p.data_primes = {context.parameters().data_primes[0]};
    p.special_primes = {context.parameters().special_primes[0]};
    // Two primes are far below the limit of any ring that bootstrapping uses; tiny rings are tests.
    return Context::create_insecure(p);
}

std::vector<int> gathering_rotations(const BootstrapPlan& plan) {
    std::vector<int> out;
    for (int log = plan.log_slots; log < plan.parameters.log_degree - 1; ++log) {
        out.push_back(1 << log);
    }
    return out;
}

}  // namespace internal

BootstrapPlan plan_bootstrap(const BootstrapRequest& r) {
    if (r.levels < 1 || r.levels > 20 || r.scale_bits < 30 || r.scale_bits > 44 ||
        r.log_degree < 9 || r.log_degree > 16 || r.log_slots < 3 ||
        r.log_slots > r.log_degree - 1) {
        throw Error(ErrorCode::kInvalid,
                    "bootstrapping needs levels of 1..20, scale_bits of 30..44, log_degree of "
                    "9..16 and log_slots of 3..log_degree - 1");
    }
    BootstrapPlan plan;
    plan.levels = r.levels;
    plan.log_slots = r.log_slots;
    Parameters& p = plan.parameters;
    p.security = r.security;
    p.log_degree = r.log_degree;
    p.scale_bits = r.scale_bits;
    const auto scales =
        internal::ntt_primes_near(r.log_degree, r.scale_bits, r.levels + plan.to_slots);
    const auto large = internal::ntt_primes(r.log_degree, kMaxModulusBits,
                                            1 + internal::modulus_depth() + plan.to_coefficients);
    p.data_primes = {large[0]};
    p.data_primes.insert(p.data_primes.end(), scales.begin(), scales.end());
    p.data_primes.insert(p.data_primes.end(), large.begin() + 1, large.end());
    const auto count = static_cast<int>(p.data_primes.size());
    // Few digits make small keys: as many special primes as security leaves room for.
    for (p.digit_primes = (count + 2) / 3; p.digit_primes >= 1; --p.digit_primes) {
        p.special_primes =
            internal::ntt_primes(r.log_degree, kMaxModulusBits, p.digit_primes, p.data_primes);
        if (r.log_degree < 15 || modulus_bits(p) <= max_modulus_bits(r.log_degree, r.security)) {
            return plan;
        }
    }
    throw Error(ErrorCode::kUnsupported,
                "bootstrapping with " + std::to_string(r.levels) +
                    " levels takes more bits than N = " + std::to_string(1 << r.log_degree) +
                    " has room for",
                "ask for fewer levels, less security, or a larger ring");
}

BootstrapKeys::BootstrapKeys(std::shared_ptr<const internal::BootstrapKeysBody> body)
    : body_(std::move(body)) {}

BootstrapKeys BootstrapKeys::generate(const SecretKey& secret, const BootstrapPlan& plan,
                                      Random& random) {
    const ContextPtr& context = secret.context();
    if (!(context->parameters() == plan.parameters)) {
        throw Error(ErrorCode::kInvalid, "the secret key has other parameters than the plan");
    }
    const Ring& ring = context->ring();
    const ContextPtr small = internal::small_context(*context);
    const SecretBytes bits = sparse_secret(ring.degree(), random);
    const auto sparse = internal::make_secret_key(context, bits.clone());
    const auto sparse_small = internal::make_secret_key(small, bits.clone());
    const auto dense_small = internal::make_secret_key(small, secret.body().ternary.clone());
    // The highest level at which each rotation is used.
    std::map<int, int> levels;
    const auto use = [&levels](const std::vector<int>& steps, int level) {
        for (int step : steps) levels[step] = std::max(levels[step], level);
    };
    int level = context->max_level();
    const int period = 1 << plan.log_slots;
    use(internal::gathering_rotations(plan), level);
    const auto there =
        internal::slots_to_coefficients_factors(plan.log_slots, plan.to_coefficients, 1);
    for (size_t i = 0; i < there.size(); ++i) use(rotations_of(there, i, period), level--);
    const int conjugation_level = level;
    level -= internal::modulus_depth();
    const auto back = internal::coefficients_to_slots_factors(plan.log_slots, plan.to_slots, 1);
    for (size_t i = 0; i < back.size(); ++i) use(rotations_of(back, i, period), level--);
    GaloisKeys galois = GaloisKeys::generate(secret, {}, true, random, conjugation_level);
    for (const auto& [step, highest] : levels) {
        const auto one =
            GaloisKeys::generate(secret, std::vector<int>{step}, false, random, highest);
        for (const auto& [element, key] : one.all()) galois.insert(element, key);
    }
    return BootstrapKeys(std::make_shared<internal::BootstrapKeysBody>(internal::BootstrapKeysBody{
        context, small,
        internal::make_switch_key(small->ring(), dense_small->transformed,
                                  sparse_small->transformed, 1, random),
        internal::make_switch_key(ring, sparse->transformed, secret.body().transformed,
                                  ring.data_count(), random),
        RelinKey::generate(secret, random, conjugation_level), std::move(galois)}));
}

size_t BootstrapKeys::size_bytes() const {
    size_t words = 0;
    const auto add = [&words](const internal::SwitchKeyBody& key) {
        for (const Poly& row : key.b) words += 2 * row.limbs() * row.degree();
    };
    add(body_->to_sparse);
    add(body_->to_dense);
    add(body_->relin.body());
    for (const auto& [element, key] : body_->galois.all()) add(key->key);
    return words * sizeof(uint64_t);
}

}  // namespace ward::he
