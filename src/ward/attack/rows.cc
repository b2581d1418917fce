#include "ward/attack/internal/rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ward/nn/torch.h"

namespace ward::attack {

double uniform01(Generator& generator) { return static_cast<double>(generator() >> 11) * 0x1p-53; }

double gaussian(Generator& generator) {
    const double radius = std::sqrt(-2 * std::log(1 - uniform01(generator)));
    return radius * std::cos(2 * M_PI * uniform01(generator));
}

int64_t below(Generator& generator, int64_t n) {
    return std::min<int64_t>(n - 1, static_cast<int64_t>(uniform01(generator) * double(n)));
}

void for_rows(int64_t rows, const std::function<void(int64_t)>& body) {
    at::parallel_for(0, rows, 16, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) body(i);
    });
}

Ball ball_of(const EvasionOptions& options) {
    return {options.norm, static_cast<float>(options.epsilon), static_cast<float>(options.lower),
            static_cast<float>(options.upper)};
}

void keep_rows(const at::Tensor& keep, std::initializer_list<at::Tensor*> tensors) {
    const at::Tensor rows = keep.nonzero().flatten();
    for (at::Tensor* tensor : tensors)
        if (tensor->defined()) *tensor = tensor->index_select(0, rows);
}

void random_start(const Ball& ball, const at::Tensor& center, bool edge, Generator& generator,
                  at::Tensor& x) {
    const int64_t n = row_size(x);
    at::Tensor offset = torch::empty({n});
    float* d = offset.data_ptr<float>();
    for (int64_t i = 0; i < x.size(0); ++i) {
        const bool linf = ball.norm == Norm::kLinf;
        for (int64_t j = 0; j < n; ++j)
            d[j] = static_cast<float>(linf ? 2 * uniform01(generator) - 1 : gaussian(generator));
        const double length = linf && !edge ? 1 : std::max(row_norm(d, n, ball.norm), 1e-30);
        const double radius = ball.epsilon * (linf || edge ? 1 : uniform01(generator));
        for (int64_t j = 0; j < n; ++j)
            row(x, i)[j] = row(center, i)[j] + d[j] * static_cast<float>(radius / length);
        project(ball, row(center, i), row(x, i), n);
    }
}

at::Tensor settle(const at::Tensor& fooled, const at::Tensor& x, const at::Tensor& owner,
                  at::Tensor& done, at::Tensor& out) {
    const int64_t rows = x.size(0), n = row_size(x);
    const at::Tensor bits = fooled.contiguous();
    at::Tensor keep = torch::empty({rows}, at::kBool);
    const int64_t* owners = owner.data_ptr<int64_t>();
    bool* finished = done.data_ptr<bool>();
    for (int64_t i = 0; i < rows; ++i) {
        if (!bits.data_ptr<bool>()[i] || finished[owners[i]]) continue;
        finished[owners[i]] = true;
        std::memcpy(row(out, owners[i]), row(x, i), static_cast<size_t>(n) * sizeof(float));
    }
    for (int64_t i = 0; i < rows; ++i) keep.data_ptr<bool>()[i] = !finished[owners[i]];
    return keep;
}

}  // namespace ward::attack
