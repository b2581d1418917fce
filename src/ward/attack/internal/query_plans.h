// Which inputs an extraction attack asks about next.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "ward/attack/extraction.h"

namespace ward::attack {

class QueryPlan {
  public:
    virtual ~QueryPlan() = default;

    // At most `count` inputs {m, ...}, none of them asked before and none lost; none at all where
    // there are no more.
    virtual at::Tensor next(int64_t count) = 0;

    // The answers to what `next` gave last: shares {m, classes}.
    virtual void learn(const at::Tensor& x, const at::Tensor& answers) {
        (void)x;
        (void)answers;
    }
};

std::unique_ptr<QueryPlan> make_query_plan(const QueryPool& pool, const ExtractionOptions& options);

}  // namespace ward::attack
