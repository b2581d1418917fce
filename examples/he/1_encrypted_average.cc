// Example 1: a server computes mean and variance of numbers that it cannot read.
//
// Shows: choosing parameters, keys, encoding with a declared bound, arithmetic, rescaling,
// rotations, and the error bound that comes with every result.
#include <cmath>
#include <cstdio>
#include <vector>

#include "ward/he/ckks.h"

using namespace ward::he;

int main() {
    // The client: two products one after the other are enough for a variance.
    const ContextPtr context = Context::create(ckks_parameters({.depth = 2}));
    ward::Random random = ward::Random::from_system();
    const SecretKey secret = SecretKey::generate(context, random);
    const RelinKey relin = RelinKey::generate(secret, random);
    constexpr int kCount = 1024;
    std::vector<int> steps;
    for (int step = 1; step < kCount; step *= 2) steps.push_back(step);
    const GaloisKeys rotations = GaloisKeys::generate(secret, steps, false, random);

    std::vector<double> heights(kCount);
    for (int i = 0; i < kCount; ++i) heights[i] = 1.7 + 0.1 * std::sin(i);
    const CkksEncoder encoder(context);
    // The bound is what everyone may know: nobody is taller than 2.5 m.
    const Plaintext message = encoder.encode(heights, {.bound = 2.5, .slots = kCount});
    const Ciphertext x = encrypt(secret, message, random);

    // The server: it has x, relin and rotations. The mean of the squares less the square of the
    // mean.
    const CkksEvaluator evaluator(context);
    const Ciphertext scaled = evaluator.rescale(evaluator.multiply(x, 1.0 / kCount));
    const Ciphertext mean = evaluator.sum_slots(scaled, kCount, rotations);
    const Ciphertext squares = evaluator.rescale(evaluator.multiply(x, scaled, relin));
    // Both at the last level and at one scale.
    const Ciphertext mean_of_squares =
        evaluator.sum_slots(evaluator.drop_to_level(squares, 0), kCount, rotations);
    const Ciphertext square_of_mean = evaluator.rescale(evaluator.multiply(mean, mean, relin));
    const Ciphertext variance = evaluator.subtract(mean_of_squares, square_of_mean);

    // The client again.
    const double got_mean = encoder.decode(decrypt_for_owner(secret, mean))[0];
    const double got_variance = encoder.decode(decrypt_for_owner(secret, variance))[0];
    double sum = 0, sum_of_squares = 0;
    for (double h : heights) {
        sum += h;
        sum_of_squares += h * h;
    }
    const double true_variance = sum_of_squares / kCount - sum / kCount * sum / kCount;
    std::printf("ring degree %zu\n", context->degree());
    std::printf("mean      %.9f, off by %.1e, bound %.1e\n", got_mean,
                std::abs(got_mean - sum / kCount), mean.error_bound());
    std::printf("variance  %.9f, off by %.1e, bound %.1e\n", got_variance,
                std::abs(got_variance - true_variance), variance.error_bound());
    return std::abs(got_mean - sum / kCount) <= mean.error_bound() &&
                   std::abs(got_variance - true_variance) <= variance.error_bound()
               ? 0
               : 1;
}
