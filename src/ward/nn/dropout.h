// Which generator draws the masks of dropout.
//
// While a DropoutMasks lives, networks in training on its thread draw from a generator of its own:
// the same seed gives the same masks, whatever other threads train. Without one they draw from
// LibTorch's generator, which the whole process shares. Inputs on other devices than the CPU always
// draw from the generator of their device.
//
// Not for privacy: dropout is refused in private runs. Thread safety: one per thread at a time; the
// innermost counts.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

namespace ward::nn {

class DropoutMasks {
  public:
    explicit DropoutMasks(uint64_t seed);
    ~DropoutMasks();
    DropoutMasks(const DropoutMasks&) = delete;
    DropoutMasks& operator=(const DropoutMasks&) = delete;

    struct Source;

  private:
    std::unique_ptr<Source> source_;
    Source* outer_;
};

// x with each value zero with this probability in [0, 1), and the others larger by as much as keeps
// the mean.
at::Tensor drop(const at::Tensor& x, double probability);

}  // namespace ward::nn
