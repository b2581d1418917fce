// Extraction: a copy of a model from its answers to queries.
//
//   knockoff           random examples of the attacker's pool        Orekondy, Schiele, Fritz 2019,
//                                                                    section 3
//   knockoff-adaptive  which class of the pool to draw from is learned from certainty, diversity
//                      and loss of the answers, by a gradient bandit   the same, section 3.2
//   copycat            random examples, labels only                  Correia-Silva et al. 2018
//   jacobian           few examples, then steps along the copy's own gradient, labels only
//                                                                    Papernot et al. 2017
//
// Exact copies of small networks: exact_extraction.h.
//
// Threat: who may ask for predictions (scores, the k largest of them, or labels) and has inputs of
// a similar kind without labels. Budget: queries, each paid once; the price is theirs. A copy is
// trained anew at each point of the curve, so that the points are what an attacker with that budget
// has.
//
// Fidelity is the share of test inputs on which copy and model say the same class; accuracy
// compares with the right class. Labels of the model for the test inputs are asked beside the
// budget.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ward/attack/interval.h"
#include "ward/attack/target.h"
#include "ward/model/model.h"

namespace ward::attack {

enum class Answer { kScores, kTopK, kLabels };

struct CopyTraining {
    int64_t epochs = 20, batch = 64;
    double learning_rate = 1e-3;  // Adam, cosine to 0
};

struct ExtractionOptions {
    std::string attack = "knockoff";
    int64_t queries = 10000;
    Answer answer = Answer::kScores;  // copycat and jacobian take labels in any case
    int64_t top_k = 3;
    model::ModelSpec surrogate;  // the copy: its input shape and outputs must fit
    CopyTraining training;
    // From the attacker's space to inputs of the copy; none: they are the same.
    std::function<at::Tensor(const at::Tensor&)> prepare;
    // {n} bool: inputs that an earlier run sent without living to see the answer (remote targets).
    // They are left out, so that nothing is paid twice; test inputs too. None: nothing is lost.
    std::function<at::Tensor(const at::Tensor&)> lost;
    std::vector<int64_t> curve;   // numbers of queries; empty: 1, 3, 10, 30 and 100 % of the budget
    double price = 0;             // of one query, in any currency
    double step_size = 0.1;       // jacobian
    double lower = 0, upper = 1;  // jacobian: the box of inputs
    uint64_t seed = 0;
};

std::vector<std::string> extraction_names();

struct CopyPoint {
    int64_t queries = 0;
    double fidelity = 0, accuracy = 0;
    Interval fidelity_interval;  // 95 %
    double seconds = 0;          // since the start, training of the copies included
    double money = 0;
};

struct ExtractionResult {
    model::Model copy;             // of the last point
    std::vector<CopyPoint> curve;  // by number of queries
    int64_t queries = 0;           // answered
    int64_t evaluation_queries = 0;
    double model_accuracy = 0;  // of the attacked model on the test inputs
    double majority_share = 0;  // of the class that the model says most: fidelity of a constant
    double query_seconds = 0;
    std::string partial;  // why the run ended before its budget was spent; empty: it did not
    std::vector<std::string> flags;
};

// What the attacker has: inputs {n, ...}, and for knockoff-adaptive a class for each {n} int64.
struct QueryPool {
    at::Tensor x, group;
};

// Test inputs and, where they are known, right classes {n} int64. A target that fails before the
// first answers are there throws; later the result is partial. Throws Error kUsage (options out of
// range, a pool smaller than the budget), kInvalid (inputs that do not fit the copy).
ExtractionResult extract(Target& target, const QueryPool& pool, const at::Tensor& test_x,
                         const at::Tensor& test_y, const ExtractionOptions& options);

// Outputs {n, classes} as shares: as they are where they are shares already, else their softmax.
at::Tensor as_shares(const at::Tensor& outputs);

// The k largest shares, the rest spread evenly over the other classes. k = 1 keeps the share.
at::Tensor top_shares(const at::Tensor& shares, int64_t k);

}  // namespace ward::attack
