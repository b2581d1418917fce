// Example 2: a two-layer network on encrypted input. The client sends a ciphertext and its
// evaluation keys as bytes; the server multiplies with its matrices and never sees the input.
//
// Shows: objects as bytes, linear transforms, polynomials in place of the sigmoid, planning of
// depth, results that are given away.
#include <cmath>
#include <cstdio>
#include <vector>

#include "ward/he/linear_transform.h"
#include "ward/he/polynomial.h"
#include "ward/he/wire.h"

using namespace ward::he;

namespace {

constexpr int kInputs = 64, kHidden = 32, kClasses = 10;
constexpr int kPeriod = 64;  // slots that repeat: a power of two above all widths

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

std::vector<double> weights(int rows, int columns, double size) {
    std::vector<double> w(static_cast<size_t>(rows * columns));
    for (size_t i = 0; i < w.size(); ++i) w[i] = size * std::sin(1.7 * static_cast<double>(i + 1));
    return w;
}

std::vector<double> apply(const std::vector<double>& w, int rows, int columns,
                          const std::vector<double>& x) {
    std::vector<double> y(rows, 0.0);
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < columns; ++j) y[i] += w[i * columns + j] * x[j];
    }
    return y;
}

// What the server does: matrix, polynomial sigmoid on [-4, 4], matrix.
ward::Bytes serve(const ContextPtr& context, const ward::Bytes& input, const ward::Bytes& relin_key,
                  const ward::Bytes& galois_keys, const LinearTransform& first,
                  const LinearTransform& second, const std::vector<double>& series) {
    const CkksEvaluator evaluator(context);
    const Ciphertext x = ciphertext_from_bytes(context, input);
    const RelinKey relin = relin_key_from_bytes(context, relin_key);
    const GaloisKeys keys = galois_keys_from_bytes(context, galois_keys);
    const Ciphertext hidden = first.apply(x, keys);  // already divided by 4: within [-1, 1]
    const Ciphertext active = evaluate_chebyshev(evaluator, hidden, series, relin);
    return to_bytes(evaluator.drop_to_level(second.apply(active, keys), 0));
}

}  // namespace

int main() {
    const std::vector<double> w1 = weights(kHidden, kInputs, 0.06 / 4);
    const std::vector<double> w2 = weights(kClasses, kHidden, 0.3);
    const std::vector<double> series = chebyshev_coefficients(sigmoid, -4, 4, 7);
    // One level for each matrix, and those of the polynomial.
    const int depth = 2 + polynomial_depth(7);
    const ContextPtr context = Context::create(ckks_parameters({.depth = depth}));
    const LinearTransform first(context, w1, kHidden, kInputs, kPeriod);
    const LinearTransform second(context, w2, kClasses, kHidden, kPeriod, {.level = 1});

    // The client.
    ward::Random random = ward::Random::from_system();
    const SecretKey secret = SecretKey::generate(context, random);
    std::vector<int> steps = first.rotations();
    for (int step : second.rotations()) steps.push_back(step);
    const ward::Bytes relin = to_bytes(RelinKey::generate(secret, random));
    const ward::Bytes galois = to_bytes(GaloisKeys::generate(secret, steps, false, random));
    std::vector<double> input(kInputs);
    for (int i = 0; i < kInputs; ++i) input[i] = std::cos(0.3 * i);
    const CkksEncoder encoder(context);
    const Plaintext message = encoder.encode(input, {.bound = 1.0, .slots = kPeriod});
    const ward::Bytes request = to_bytes(encrypt(secret, message, random));

    const ward::Bytes reply = serve(context, request, relin, galois, first, second, series);

    const Ciphertext scores = ciphertext_from_bytes(context, reply);
    const std::vector<double> got = encoder.decode(decrypt_for_owner(secret, scores));
    std::vector<double> hidden = apply(w1, kHidden, kInputs, input);
    for (double& h : hidden) h = sigmoid(4 * h);
    const std::vector<double> expected = apply(w2, kClasses, kHidden, hidden);
    double worst = 0;
    for (int i = 0; i < kClasses; ++i) worst = std::max(worst, std::abs(got[i] - expected[i]));
    std::printf("ring degree %zu, depth %d\n", context->degree(), depth);
    std::printf("request %zu bytes, reply %zu, keys %zu\n", request.size(), reply.size(),
                relin.size() + galois.size());
    std::printf("scores off by %.1e from the network with exact sigmoids (encryption adds %.1e)\n",
                worst, scores.error_bound());
    return worst < 0.02 ? 0 : 1;
}
