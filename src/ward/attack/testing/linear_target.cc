#include "ward/attack/testing/linear_target.h"

#include <algorithm>
#include <limits>

#include "ward/nn/torch.h"

namespace ward::attack::testonly {
namespace {

at::Tensor normal(at::IntArrayRef shape, uint64_t seed) {
    return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat);
}

}  // namespace

LinearModel LinearModel::make(int64_t classes, int64_t features, uint64_t seed) {
    const at::Tensor weight = normal({classes, features}, seed);
    // All classes win somewhere near the middle of the box.
    return {weight, -weight.sum(1) * 0.5};
}

at::Tensor LinearModel::logits(const at::Tensor& x) const {
    return at::linear(x.flatten(1), weight, bias);
}

Target LinearModel::target(Access access) const {
    return Target([this](const at::Tensor& x) { return logits(x); }, access);
}

double LinearModel::distance(const at::Tensor& x, int64_t y, double dual) const {
    const at::Tensor z = logits(x.unsqueeze(0))[0];
    double least = std::numeric_limits<double>::infinity();
    for (int64_t c = 0; c < z.size(0); ++c) {
        if (c == y) continue;
        const double gap = (z[y] - z[c]).item<double>();
        least = std::min(least, gap / (weight[y] - weight[c]).norm(dual).item<double>());
    }
    return least;
}

at::Tensor middle_points(int64_t n, int64_t features, uint64_t seed) {
    return (0.5 + 0.05 * normal({n, features}, seed)).clamp(0.3, 0.7);
}

}  // namespace ward::attack::testonly
