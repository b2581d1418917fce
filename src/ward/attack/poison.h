// Poisoning: training data changed so that the model learns what the attacker wants.
//
//   badnets     a bright square in the corner            Gu, Dolan-Gavitt, Garg 2017
//   blended     a fixed random pattern mixed in          Chen, Liu, Li, Lu, Song 2017
//   wanet       a small smooth warp of the whole image   Nguyen, Tran 2021 (with its noise mode)
//   label-flip  labels only; no trigger                  Biggio, Nelson, Laskov 2012
//
// The first three plant a backdoor: examples with the trigger are labelled with the target class.
// Afterwards the model is right on clean examples and says the target class wherever it sees the
// trigger. Transformers take a data set and give one; `ward::train` trains on it like on any other.
//
// Threat: an attacker who controls a share of the training examples and nothing else.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ward/data/dataset.h"
#include "ward/train/trainer.h"

namespace ward::attack {

struct PoisonOptions {
    std::string attack = "badnets";
    double rate = 0.05;         // share of the training examples that are changed, in (0, 1)
    int64_t target_class = 0;   // what the trigger is to mean
    int64_t source_class = -1;  // label-flip: only labels of this class; -1: of all
    int64_t patch = 3;          // badnets: side of the square, pixels
    double opacity = 0.15;      // blended: weight of the pattern
    double warp = 0.75;         // wanet: strength s of the warp
    int64_t grid = 4;           // wanet: control points per side
    uint64_t seed = 1;          // of the chosen rows, the pattern and the warp
};

std::vector<std::string> poison_names();
bool has_trigger(std::string_view attack);

struct Poisoned {
    data::Dataset data;
    std::vector<int64_t> rows;  // the changed ones, increasing
};

// Throws Error kUsage (unknown name, values out of range), kInvalid (no labels; a trigger wants
// images {channels, height, width}).
Poisoned poison(const data::Dataset& data, const PoisonOptions& options);

// The examples that are not of the target class, with the trigger and the target class as label:
// the accuracy on them is the success of the attack. Throws Error kUsage for attacks without a
// trigger.
data::Dataset with_trigger(const data::Dataset& data, const PoisonOptions& options);

struct PoisonResult {
    double clean_accuracy = 0;          // of a model trained on clean data; mean over the trials
    double poisoned_accuracy = 0;       // of models trained on poisoned data, on clean examples
    double success = 0;                 // share of triggered examples taken for the target class
    double success_without_poison = 0;  // the same of the clean models
    std::vector<double> successes, poisoned_accuracies;  // per trial
    int64_t changed = 0;                                 // training examples
    // The poisoned models lost more than 5 points on clean examples: nobody would use them, and a
    // backdoor in them is no success.
    bool ruined = false;
    // With a trigger: not ruined, at least half of the triggered examples, and clearly more than
    // clean models.
    bool succeeded = false;
    double seconds = 0;
};

// Trains a clean and a poisoned model per trial (other seeds) and measures both on the test part.
PoisonResult run_poison(const data::Dataset& train, const data::Dataset& test,
                        const train::TrainOptions& training, const PoisonOptions& options,
                        int64_t trials = 1);

}  // namespace ward::attack
