// A linear classifier as a target: everything about it is known in closed form.
#pragma once

#include <ATen/core/Tensor.h>

#include "ward/attack/target.h"

namespace ward::attack::testonly {

struct LinearModel {
    at::Tensor weight, bias;  // {classes, features}, {classes}

    // Weights from a fixed seed.
    static LinearModel make(int64_t classes, int64_t features, uint64_t seed);

    at::Tensor logits(const at::Tensor& x) const;
    Target target(Access access = Access::kWhiteBox) const;

    // Distance of x {features} to the nearest boundary of class y: min over c of (z_y - z_c) over
    // the dual norm of w_y - w_c (dual: 1 for linf, 2 for l2). The box is not looked at.
    double distance(const at::Tensor& x, int64_t y, double dual) const;
};

// {n, features} near the middle of the box.
at::Tensor middle_points(int64_t n, int64_t features, uint64_t seed);

}  // namespace ward::attack::testonly
