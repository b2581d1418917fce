// Rows of a data set as tensors, with optional augmentation of images.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "ward/core/random.h"
#include "ward/data/dataset.h"

namespace ward::train {

struct Augmentation {
    int64_t views =
        1;  // augmented copies per example (De et al. 2022, "augmentation multiplicity");
            // their gradients are averaged before clipping, so the guarantee is unchanged
    int64_t shift_pixels =
        0;  // each copy moved by up to this many pixels in each direction, zeros moved in
    bool flip_horizontally = false;

    bool active() const { return views > 1 || shift_pixels > 0 || flip_horizontally; }
};

struct Batch {
    at::Tensor inputs;  // {rows * views, example_shape...}; the views of an example are neighbours
    at::Tensor
        labels;  // {rows * views}, int64; or float32 targets {rows * views, 1} for regression
};

// Throws Error kInvalid for a data set without labels or targets.
Batch gather_batch(const data::Dataset& data, std::span<const int64_t> rows,
                   const Augmentation& augmentation, Random* random);

}  // namespace ward::train
