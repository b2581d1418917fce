// What an encrypted inference will take, decided before anything runs: packing, parameters, levels,
// rotations, keys, predicted time and memory, bounds, and what is revealed.
//
// A plan follows from the network, the declared range of its inputs and the request alone, so both
// sides make the same one, or the owner of the model sends what the owner of the data needs.
// Thread safety: value types and functions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ward/he/infer/network.h"
#include "ward/he/params.h"

namespace ward::he {

namespace internal {
struct SlotPlan;
}

enum class Packing {
    kSingle,  // one example in one ciphertext: least time to an answer
    kBatch,   // a ciphertext for each unit, an example in each slot: most examples per second
};

struct PlanRequest {
    Packing packing = Packing::kSingle;
    Interval input{0, 1};  // no input value lies outside
    int scale_bits = 40;
    SecurityLevel security = SecurityLevel::k128;
};

struct StagePlan {
    std::string name;
    std::string method;      // "grid, 36 diagonals", "dense: 32 diagonals, 6 folds"
    int level = 0;           // of the ciphertext before the matrix
    int rotations = 0;       // computed, not different ones
    double sum_bound = 0;    // of all slots while sums are made
    double value_bound = 0;  // of all slots before the activation
    std::string activation;  // empty: none
    double seconds = 0;      // predicted, one thread
};

struct Plan {
    Packing packing = Packing::kSingle;
    Parameters parameters;
    Interval input;
    int64_t examples = 1;             // at once
    int64_t inputs = 0, outputs = 0;  // of one example
    int64_t ciphertexts_up = 1, ciphertexts_down = 1;
    std::vector<StagePlan> stages;
    std::map<int, int> rotations;  // steps, and the highest level they are used at
    // Of the results. Proven from the declared range of inputs, unless an activation was fitted to
    // examples: then they hold while its inputs stay within its radius, and the errors of different
    // units count as independent.
    double value_bound = 0;
    bool bounds_proven = true;
    double seconds = 0;  // predicted, on one thread of the machine of docs/he.md
    int64_t upload_bytes = 0, download_bytes = 0, key_bytes = 0, memory_bytes = 0;

    std::shared_ptr<const internal::SlotPlan> slots;  // single packing
};

// Throws Error kUnsupported when no parameters are large enough, kInvalid for an empty range.
Plan plan(const Network& network, const PlanRequest& request);

// The plan in words.
std::string to_text(const Plan& plan);

}  // namespace ward::he
