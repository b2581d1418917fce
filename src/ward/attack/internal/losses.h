// The losses that gradient attacks raise, with their derivatives by the logits.
//
// Written out instead of left to autograd: the derivative by ten logits costs nothing beside the
// pass through the model, and one backward pass remains.
#pragma once

#include <ATen/core/Tensor.h>

#include "ward/attack/evasion.h"

namespace ward::attack {

enum class Loss {
    kCrossEntropy,  // -log softmax(z)_y; with an aim a: log softmax(z)_a
    kDlr,           // -(z_y - max_{i != y} z_i) / (z_(1) - z_(3)): Croce and Hein 2020, eq. 6;
                    // with an aim: -(z_y - z_a) / (z_(1) - (z_(3) + z_(4)) / 2), eq. 7
    kMargin,        // max_{i != y} z_i - z_y; with an aim: z_a - z_y
};

struct LossRows {
    at::Tensor value;      // {n} float32
    at::Tensor cotangent;  // {n, classes}
};

// y {n} int64 classes; aim {n} int64 or undefined. Fewer than 3 classes (4 with an aim) have no
// DLR: Error kUnsupported.
LossRows evaluate_loss(Loss loss, const at::Tensor& logits, const at::Tensor& y,
                       const at::Tensor& aim);

// max_{i != y} z_i - z_y per row, {n} float32: > 0 where another class is said.
at::Tensor margins(const at::Tensor& logits, const at::Tensor& y);

}  // namespace ward::attack
