// Membership by labels alone: a model holds on longer to the label of an example it was trained on.
//
// Choquette-Choo, Tramer, Carlini, Papernot: Label-Only Membership Inference Attacks (ICML 2021):
// how far an example is from the decision boundary, (section 3.3) measured by HopSkipJump or
// (section 3.4) estimated by the share of noisy copies that keep the label, or (section 3.2;
// images) by the share of shifted and rotated copies that keep it, which a model trained with
// augmentation knows even better. The authors tune the noise on shadow models; here it runs over a
// ladder of scales, the mean over which estimates the logarithm of the distance without tuning.
// Inputs that take only two values in the population are flipped with a probability instead, as the
// authors do for binary columns.
//
// For the copies of images they train a network on shadow models to read which ones keep the label;
// here all count alike: shifts by 1, 2 and 3 pixels in all directions (|i| + |j| = d) and rotations
// by up to 14 degrees in steps of 2, new pixels at the edges repeating the old ones.
//
// An example that the model gets wrong lies on the other side: its score is below all others (the
// paper's distance 0).
//
// Threat model: labels only. Budget: 1 + scales x draws queries per example for noise, 39 for
// copies of images; for the boundary see attack/hopskipjump.h.
//
// Thread safety: none; it queries the target.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "ward/attack/target.h"

namespace ward::attack {

struct Box {
    double lower = 0, upper = 1;
};

struct LabelOnlyOptions {
    int64_t draws = 16;  // noisy copies per scale; 8 scales
    int64_t steps = 10;  // iterations of HopSkipJump
    uint64_t seed = 1;
    // Number of the first row of x among all that are asked about: the noise of an example depends
    // on its number and the seed, not on how many are asked about together.
    int64_t first = 0;
    // Of the boundary: the range that points are looked for in. Examples that are asked about in
    // several calls need the same one, or their distances are on several scales; none: that of the
    // population and x.
    std::optional<Box> box;
};

// The range of all values of both.
Box box_of(const at::Tensor& x, const at::Tensor& population);

// x {n, ...} float32, y {n} int64. `population` {m, ...} tells the spread of each input.
// The share of noisy copies that keep the right label, in [0, 1]; -1 for wrong examples. Throws
// Error kUsage for draws < 1, kInvalid for shapes that do not fit.
std::vector<double> noise_robustness(Target& target, const at::Tensor& x, const at::Tensor& y,
                                     const at::Tensor& population, const LabelOnlyOptions& options);

// L2 distance to the nearest point of another label that HopSkipJump finds inside the box; -1 for
// wrong examples; twice the diagonal of the box, more than any other, where none was found. Throws
// as above, and Error kInvalid for examples outside the box.
std::vector<double> boundary_distances(Target& target, const at::Tensor& x, const at::Tensor& y,
                                       const at::Tensor& population,
                                       const LabelOnlyOptions& options);

// The share of 38 shifted and rotated copies that keep the right label, in [0, 1]; -1 for wrong
// examples. x {n, channels, height, width}; Throws Error kUnsupported for other shapes.
std::vector<double> augmentation_robustness(Target& target, const at::Tensor& x,
                                            const at::Tensor& y);

}  // namespace ward::attack
