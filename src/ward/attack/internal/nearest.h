// The nearest adversarial point found so far for each example; shared by attacks of least norm.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ward/attack/evasion.h"

namespace ward::attack {

class Nearest {
  public:
    Nearest(const at::Tensor& x, Norm norm);

    // Offers row `from` of x, an adversarial point of example `owner`. True: it is the nearest yet.
    bool offer(int64_t owner, const at::Tensor& x, int64_t from);
    // Offers all rows that fool; row i belongs to example owner[i].
    void offer_all(const at::Tensor& fooled, const at::Tensor& x, const at::Tensor& owner);

    double distance(int64_t owner) const { return distance_[owner]; }  // infinite: none yet
    const at::Tensor& points() const { return points_; }               // or the example itself

  private:
    at::Tensor center_, points_;
    std::vector<double> distance_;
    Norm norm_;
};

}  // namespace ward::attack
