// Model inversion: what a class looks like, from the model alone.
//
//   miface       gradient descent on 1 - p(class) from the middle of the box, with the stopping
//                rules of the authors: no progress over `patience` steps, or a cost of at most
//                1 - `enough`       Fredrikson, Jha, Ristenpart (CCS 2015), algorithm 1
//   image-prior  Adam on the class's margin plus total variation and distance from the middle, with
//                random shifts: images that look like images, without a generator
//                Mahendran, Vedaldi (CVPR 2015), section 3; Yin et al. (CVPR 2020), eq. 2 to 4
//
// Threat: white box (or a service that gives exact scores to who estimates gradients). What comes
// back is typical of a class. It is a leak of a person where a class is one, as with faces, and of
// what the class has in common elsewhere. Budget: steps, each one forward and one backward pass per
// class; all classes go through the model together.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ward/attack/target.h"

namespace ward::attack {

struct InversionOptions {
    std::string attack = "miface";
    int64_t steps = 0;              // 0: its own, 1000
    double step_size = 0;           // 0: its own: 0.1 of the box
    int64_t patience = 100;         // miface
    double enough = 0.999;          // miface: ends at this confidence
    double total_variation = 0.05;  // image-prior: weights
    double quiet = 0.005;           // image-prior: of the squared distance from the middle
    int64_t shift = 1;              // image-prior: pixels
    double lower = 0, upper = 1;    // the box of valid inputs
    uint64_t seed = 0;
};

std::vector<std::string> inversion_names();

struct InvertedClass {
    int64_t label = 0;
    at::Tensor x;           // {input shape}
    double confidence = 0;  // of the model in the class there
    int64_t steps = 0;      // that led to x
};

// One input for each class of `labels`; `shape` is that of an input without the batch. Throws Error
// kUsage (an unknown name, options out of range, labels that are no classes), kRefused without
// gradients.
std::vector<InvertedClass> invert_classes(Target& target, const std::vector<int64_t>& shape,
                                          const std::vector<int64_t>& labels,
                                          const InversionOptions& options);

// Structural similarity of two images {channels, height, width} with values in a range of this
// width: Wang, Bovik, Sheikh, Simoncelli 2004, Gaussian window of 11 x 11 (or as large as fits)
// with deviation 1.5, mean over windows inside the image and channels. Throws Error kInvalid for
// other shapes.
double ssim(const at::Tensor& a, const at::Tensor& b, double width = 1);

}  // namespace ward::attack
