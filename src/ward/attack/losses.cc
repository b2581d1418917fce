#include "ward/attack/internal/losses.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr float kTiny = 1e-12f;

struct Row {
    const float* z;
    int64_t classes;
    int64_t y;
    int64_t aim;  // -1: none
    float* d;     // derivative, zero at first
};

// The classes of the k largest logits, largest first.
template <size_t k>
std::array<int64_t, k> largest(const Row& row) {
    std::array<int64_t, k> best;
    best.fill(-1);
    for (int64_t c = 0; c < row.classes; ++c) {
        int64_t candidate = c;
        for (int64_t& place : best) {
            if (place < 0 || row.z[candidate] > row.z[place]) std::swap(place, candidate);
            if (candidate < 0) break;
        }
    }
    return best;
}

int64_t best_other(const Row& row) {
    int64_t best = row.y == 0 ? 1 : 0;
    for (int64_t c = 0; c < row.classes; ++c)
        if (c != row.y && row.z[c] > row.z[best]) best = c;
    return best;
}

float cross_entropy(const Row& row) {
    const float top = *std::max_element(row.z, row.z + row.classes);
    float sum = 0;
    for (int64_t c = 0; c < row.classes; ++c) sum += row.d[c] = std::exp(row.z[c] - top);
    const int64_t k = row.aim < 0 ? row.y : row.aim;
    const float sign = row.aim < 0 ? 1.0f : -1.0f;
    for (int64_t c = 0; c < row.classes; ++c) row.d[c] *= sign / sum;
    row.d[k] -= sign;
    return sign * (top + std::log(sum) - row.z[k]);
}

float margin(const Row& row) {
    const int64_t other = row.aim < 0 ? best_other(row) : row.aim;
    row.d[other] += 1;
    row.d[row.y] -= 1;
    return row.z[other] - row.z[row.y];
}

// Of margin / width, width = z_first - weighted others.
float quotient(const Row& row, int64_t other, float width) {
    const float top = row.z[other] - row.z[row.y];
    row.d[other] += 1 / width;
    row.d[row.y] -= 1 / width;
    return top / width;
}

float dlr(const Row& row) {
    const auto best = largest<3>(row);
    const float width = row.z[best[0]] - row.z[best[2]] + kTiny;
    const int64_t other = best[0] == row.y ? best[1] : best[0];
    const float value = quotient(row, other, width);
    row.d[best[0]] -= value / width;
    row.d[best[2]] += value / width;
    return value;
}

float targeted_dlr(const Row& row) {
    const auto best = largest<4>(row);
    const float width = row.z[best[0]] - 0.5f * (row.z[best[2]] + row.z[best[3]]) + kTiny;
    const float value = quotient(row, row.aim, width);
    row.d[best[0]] -= value / width;
    row.d[best[2]] += 0.5f * value / width;
    row.d[best[3]] += 0.5f * value / width;
    return value;
}

float evaluate_row(Loss loss, const Row& row) {
    if (loss == Loss::kCrossEntropy) return cross_entropy(row);
    if (loss == Loss::kMargin) return margin(row);
    return row.aim < 0 ? dlr(row) : targeted_dlr(row);
}

void require_classes(Loss loss, int64_t classes, bool aimed) {
    const int64_t least = loss == Loss::kDlr ? (aimed ? 4 : 3) : 2;
    if (classes >= least) return;
    throw Error(ErrorCode::kUnsupported,
                "the DLR loss needs at least " + std::to_string(least) + " classes, got " +
                    std::to_string(classes),
                "use apgd-ce, pgd or square on such a model");
}

}  // namespace

LossRows evaluate_loss(Loss loss, const at::Tensor& logits, const at::Tensor& y,
                       const at::Tensor& aim) {
    const int64_t n = logits.size(0), classes = logits.size(1);
    require_classes(loss, classes, aim.defined());
    LossRows result{torch::empty({n}), torch::zeros({n, classes})};
    const at::Tensor z = logits.contiguous(), labels = y.contiguous();
    const at::Tensor aims = aim.defined() ? aim.contiguous() : aim;
    for (int64_t i = 0; i < n; ++i) {
        const Row row{z.data_ptr<float>() + i * classes, classes, labels.data_ptr<int64_t>()[i],
                      aims.defined() ? aims.data_ptr<int64_t>()[i] : -1,
                      result.cotangent.data_ptr<float>() + i * classes};
        result.value.data_ptr<float>()[i] = evaluate_row(loss, row);
    }
    return result;
}

at::Tensor margins(const at::Tensor& logits, const at::Tensor& y) {
    return evaluate_loss(Loss::kMargin, logits, y, at::Tensor()).value;
}

}  // namespace ward::attack
