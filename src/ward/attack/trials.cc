#include "ward/attack/internal/trials.h"

#include <algorithm>
#include <vector>

#include "ward/nn/torch.h"

namespace ward::attack {

at::Tensor rival_classes(const at::Tensor& logits, const at::Tensor& y) {
    const at::Tensor without =
        logits.scatter(1, y.unsqueeze(1), std::numeric_limits<float>::infinity());
    return without.argsort(1, true).narrow(1, 1, logits.size(1) - 1).contiguous();
}

int64_t tries_at_once(int64_t open, int64_t tries_left, int64_t rows_at_once) {
    return std::clamp<int64_t>(rows_at_once / std::max<int64_t>(1, 2 * open), 1, tries_left);
}

Trials stack_trials(const Points& points, const at::Tensor& done, const at::Tensor& rivals,
                    int64_t first, int64_t count) {
    const at::Tensor open = (~done).nonzero().flatten();
    Trials trials;
    trials.owner = open.repeat({count});
    trials.points = points.select(trials.owner);
    if (!rivals.defined()) return trials;
    std::vector<at::Tensor> aims;
    for (int64_t t = first; t < first + count; ++t)
        aims.push_back(rivals.select(1, t % rivals.size(1)).index_select(0, open));
    trials.aim = at::cat(aims);
    return trials;
}

}  // namespace ward::attack
