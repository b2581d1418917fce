// Passes in which what one example gives depends on that example alone, to the last bit.
//
// Libraries choose kernels, and share work among threads, by the number of rows they are given. One
// more row can therefore change the last bits of *other* rows, and at a kink of ReLU switch a unit
// on or off: one example would move the gradients of others, which no clipping accounts for. So a
// private pass is padded with rows of zeros to a number of rows at which this network has been seen
// to give every row the same bits, at every place, as at a fixed reference size. In linear algebra
// the order of the operations does not depend on the values, so random values show a difference if
// there is one: two orders of addition agree on all bits of thousands of random sums with
// negligible probability. docs/decisions/0002-arithmetic-sensitivity.md.
//
// Nothing here looks at data. Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "ward/nn/network.h"

namespace ward::train {

class RowInvariance {
  public:
    // One pass: `examples` examples, padded to `rows` rows.
    struct Pass {
        int64_t examples, rows;
    };

    // `usual_examples`: what most passes hold; `views` rows per example.
    RowInvariance(nn::Network& network, int64_t usual_examples, int64_t views);

    // How to go through that many examples. Sizes not met before are tried out, which takes two
    // passes and leaves the random generators of LibTorch as they were.
    std::vector<Pass> passes(int64_t examples);

    // Rows of the reference. 1 view of one example, and every pass as small, where nothing larger
    // is invariant.
    int64_t reference_rows();

  private:
    bool agrees(int64_t rows);
    bool same_bits(int64_t rows, int64_t reference_rows) const;

    // By tensor of the pass and example: a digest of its bits.
    using Trace = std::vector<std::vector<uint64_t>>;
    Trace trace(int64_t rows, int64_t first_probe) const;

    nn::Network& network_;
    int64_t views_;
    int64_t reference_rows_;
    std::map<std::pair<int64_t, int>, bool> agrees_;  // by rows and threads
};

// `rows` rows: those of the tensor, then zeros.
at::Tensor padded(const at::Tensor& tensor, int64_t rows);

}  // namespace ward::train
