#include "ward/he/infer/internal/bounds.h"

#include <algorithm>
#include <cmath>

#include "ward/he/internal/bodies.h"
#include "ward/he/internal/evaluate.h"

namespace ward::he::internal {

Ciphertext fold_independent(const CkksEvaluator& evaluator, Ciphertext x,
                            std::span<const int> steps, const GaloisKeys& keys,
                            double value_bound) {
    for (int step : steps) {
        const Ciphertext turned = evaluator.rotate(x, step, keys);
        auto body = std::make_shared<CiphertextBody>(
            evaluator.add(with_value_bound(x, value_bound), with_value_bound(turned, value_bound))
                .body());
        body->value_bound = std::min(body->value_bound, value_bound);
        body->error_bound = std::hypot(x.error_bound(), turned.error_bound());
        x = Ciphertext(std::move(body));
    }
    return x;
}

}  // namespace ward::he::internal
