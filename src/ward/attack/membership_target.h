// What a membership attacker asks a target: a model file, a TorchScript file, a service, any
// function that gives logits, probabilities or labels.
//
// Scores of the population are asked first, then the examples in question in blocks, members and
// others by turns, each block with all that the attacks want to know of it: when a target fails,
// what was answered until then is whole, and can be attacked.
//
// What the scores are (logits, probabilities, rounded ones) is found from all of them together:
// membership_answer.h.
//
// Threat model: scores, or labels alone; the attacker has the examples in question. Cost: a query
// for each example and each one of the population (labels alone: not for the population), and what
// the attacks by labels cost (label_only.h).
//
// Thread safety: none; it queries the target.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ward/attack/label_only.h"
#include "ward/attack/membership.h"
#include "ward/attack/membership_answer.h"
#include "ward/attack/target.h"
#include "ward/data/dataset.h"

namespace ward::attack {

struct MembershipTarget {
    Target& target;
    // Inputs as the target takes them {n, ...}; empty: those of the data set as they are.
    std::function<at::Tensor(const data::Dataset&)> inputs;
    int64_t trained_on = 0;  // examples, as its maker says; 0: not told
    // Examples that are asked about together, and lost together when the target fails; 0: all.
    int64_t block = 0;
    // How many scores of each row the target tells, the largest ones, asked when it has answered;
    // 0 or empty: all.
    std::function<int64_t()> largest;
};

// Which of the attacks by labels are wanted.
struct LabelQuestions {
    bool gap = false, noise = false, augment = false, boundary = false;

    bool any() const { return gap || noise || augment || boundary; }
};

struct MembershipAnswers {
    std::vector<int64_t> rows;   // of the examples that were answered for, growing; all else here
                                 // has one entry for each of them
    MembershipSignals signals;   // of the target alone
    std::vector<uint8_t> right;  // says the right class
    AnswerForm form;             // of the scores
    int64_t queries = 0;         // all
    int64_t label_queries = 0;   // of these, by attacks that need nothing but labels
    std::string partial;         // why the target ended it; empty: it did not
};

// `members` is how many of the examples, the first ones, are members. Throws what the target throws
// when it fails before a member and an other were answered for, and Error kUnsupported for attacks
// by labels on tokens.
MembershipAnswers ask(const MembershipTarget& target, const data::Dataset& examples,
                      int64_t members, const data::Dataset& population,
                      const LabelQuestions& questions, const LabelOnlyOptions& options);

// Inputs of a data set {n, ...}.
at::Tensor tensor_of(const data::Dataset& data);

}  // namespace ward::attack
