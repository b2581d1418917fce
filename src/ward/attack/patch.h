// The adversarial patch: a picture that fools a model wherever it is laid into an image.
//
// Brown, Mane, Roy, Abadi, Gilmer: Adversarial Patch (arXiv 1712.09665, 2017), section 2: one patch
// for all images, made by gradient steps on the expected log-probability of a class over images,
// places, rotations and scales; section 3: how often it succeeds by the share of the image that it
// covers. A square patch, Adam, without a bound on its pixels but the box of valid inputs.
//
// Threat model: white box for who makes the patch; who uses it only lays it into the scene, sees
// neither model nor image, and moves no other pixel. So there is no epsilon here. Cost: `steps` x
// `batch` forward and backward passes in all, whatever the number of images.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ward/attack/evasion.h"
#include "ward/attack/interval.h"

namespace ward::attack {

struct PatchOptions {
    std::vector<double> sizes = {0.2, 0.3, 0.4, 0.5};  // sides, shares of the image's shorter side
    double rotation_degrees = 45;                      // either way, at most
    int64_t steps = 500;
    int64_t batch = 64;       // images, each with a place of its own, of one step
    double step_size = 0.05;  // of Adam, share of the box
    double lower = 0, upper = 1;
    uint64_t seed = 0;  // of batches and places; not secret
};

// How a patch of one size did on images that had no part in making it.
struct PatchSuccess {
    double size = 0;
    int64_t examples = 0;                     // right without a patch (and not of the wanted class)
    int64_t fooled = 0, fooled_by_noise = 0;  // by the patch; by one of random pixels in its place
    Interval interval;                        // of fooled / examples, 95 %

    double rate() const { return double(fooled) / double(examples); }
    double noise_rate() const { return double(fooled_by_noise) / double(examples); }
};

struct PatchResult {
    at::Tensor patch;  // {channels, k, k}, as many pixels as the largest size has
    std::vector<PatchSuccess> success;
    at::Tensor shown;  // {sizes, channels, height, width}: an image with the patch, one per size
};

// x {n, channels, height, width} laid over by `patch` {channels, k, k}, each at a random place and
// rotation, with its side `sizes[i]` times the shorter side of the image.
at::Tensor lay_patch(const at::Tensor& x, const at::Tensor& patch, const std::vector<double>& sizes,
                     const PatchOptions& options, uint64_t seed);

// Makes the patch on `making` and measures it on `measured`. Both have one wanted class (targeted:
// the model shall say it) or none (any wrong class will do). Throws Error kUnsupported for inputs
// that are no images, kUsage for options out of range, kInvalid where no example is left to measure
// on, kRefused without gradients.
PatchResult attack_with_patch(Target& target, const Points& making, const Points& measured,
                              const PatchOptions& options);

}  // namespace ward::attack
