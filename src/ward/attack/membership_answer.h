// What the scores of a target are: logits, probabilities, rounded probabilities, the largest ones.
//
// Membership attacks compare log odds of the target with those of references, so logits must not be
// taken for probabilities nor the other way round, and references must say what they know the way
// the target does. All of it but the number of scores that are told is found from the scores alone.
//
// Scores are probabilities where all lie in [0, 1] and rows sum to 1 as far as their digits allow:
// n values rounded to a step of h miss it by up to n h / 2, cut off by up to n h; one row in ten
// may miss it for other reasons, and is told of. Known digits are 0 to 6 decimals, multiples of
// 1/255 and 1/256 (networks in 8 bits), 1 to 4 significant decimal digits and 8 significant bits
// (bfloat16).
//
// The confidence from a probability p that was rounded to a step is that of p alone (of h / 4 for 0
// and 1 - h / 4 for 1, the middles of what is rounded to them): the others, each rounded by itself,
// would add more noise than they tell. Probabilities that were not rounded are compared through the
// sum of the others, which is exact where p is next to 1.
//
// Threat model: the target is not trusted; one that says other things than it computes is beyond
// this.
//
// Thread safety: pure functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ward/attack/membership.h"

namespace ward::attack {

struct AnswerForm {
    bool probabilities = false;  // not logits
    double step = 0;             // that probabilities are multiples of; 0: none was found
    double relative = 0;         // error of rounding to significant digits; 0: none were found
    int64_t largest = 0;         // only so many scores of each row are told; 0: all
    int64_t classes = 0;
    double least = 0;     // the smallest probability but 0, and what 0 counts as without a step
    int64_t rows = 0;     // that this was found from
    int64_t off_sum = 0;  // of these, where all lie in [0, 1], the rows that do not sum to 1
};

// Of scores {n, classes}, of which only the `largest` of each row were told (0: all).
AnswerForm form_of(const at::Tensor& scores, int64_t largest = 0);

// The coarsest step that all these values in [0, 1] are multiples of, float64; 0: none is known.
double rounding_step(const at::Tensor& values);

// What makes figures from such scores doubtful, in words.
std::vector<std::string> doubts(const AnswerForm& form);

// From what a target says {n, classes}. Throws Error kInvalid as the other confidence_of does.
Confidence confidence_of(const at::Tensor& scores, std::span<const int64_t> labels,
                         const AnswerForm& form);

// What a target of this form would say, from its logits.
at::Tensor told_as(const at::Tensor& logits, const AnswerForm& form);

}  // namespace ward::attack
