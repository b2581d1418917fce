#include "ward/attack/internal/nearest.h"

#include <algorithm>
#include <limits>

#include "ward/attack/internal/rows.h"
#include "ward/nn/torch.h"

namespace ward::attack {

Nearest::Nearest(const at::Tensor& x, Norm norm)
    : center_(x),
      points_(x.clone()),
      distance_(x.size(0), std::numeric_limits<double>::infinity()),
      norm_(norm) {}

bool Nearest::offer(int64_t owner, const at::Tensor& x, int64_t from) {
    const int64_t n = row_size(x);
    const double distance = row_distance(row(x, from), row(center_, owner), n, norm_);
    if (!(distance < distance_[owner])) return false;
    distance_[owner] = distance;
    std::copy_n(row(x, from), n, row(points_, owner));
    return true;
}

void Nearest::offer_all(const at::Tensor& fooled, const at::Tensor& x, const at::Tensor& owner) {
    const at::Tensor bits = fooled.contiguous();
    for (int64_t i = 0; i < x.size(0); ++i)
        if (bits.data_ptr<bool>()[i]) offer(owner.data_ptr<int64_t>()[i], x, i);
}

}  // namespace ward::attack
