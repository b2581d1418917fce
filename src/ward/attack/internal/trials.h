// Several tries at the same examples, other restarts or other classes to aim at, in one batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "ward/attack/evasion.h"

namespace ward::attack {

// Rows of one batch: each example `owner` as many times as there are tries.
struct Trials {
    Points points;     // per row
    at::Tensor aim;    // {rows} class to aim at, or undefined
    at::Tensor owner;  // {rows} place of the example in out and done
};

// For each example the classes by falling logit, without the right one: {n, classes - 1}.
at::Tensor rival_classes(const at::Tensor& logits, const at::Tensor& y);

// How many of the tries that are left go into one batch: one while the batch is large enough to be
// fast, as what falls by one try saves the next; more when few examples are left.
int64_t tries_at_once(int64_t open, int64_t tries_left, int64_t rows_at_once);

// `count` tries from number `first` on of the examples where done is false. rivals: {n, k}, by
// which try number t aims at column t mod k; or undefined.
Trials stack_trials(const Points& points, const at::Tensor& done, const at::Tensor& rivals,
                    int64_t first, int64_t count);

}  // namespace ward::attack
