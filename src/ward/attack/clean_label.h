// Clean-label poisoning: training examples moved a little, with labels that a person would give
// them, so that a model trained on them gets something wrong that the attacker chose.
//
//   feature-collision  examples of the target class that look to a known feature extractor like one
//                      test example: forward-backward splitting   Shafahi et al. 2018, algorithm 1;
//                      the victim trains a last layer on those features (their section 3)
//   gradient-matching  examples of the target class whose gradient points where that of one wrongly
//                      labelled test example points, on a surrogate   Geiping et al. 2021
//                      ("Witches' Brew"), section 3: cosine, signed Adam, restarts, ensembles; the
//                      victim trains from nothing
//   sleeper            the same for the mean gradient of training examples of the source class with
//                      a trigger that no poison shows; the surrogate is trained again on the way
//                      Souri et al. 2022 ("Sleeper Agent"), section 3
//
// Threat: an attacker who controls a share of the training examples, within `epsilon` in every
// input and without touching labels; knows the data, the network and how it is trained (not the
// victim's initial weights or order), or its features. Budget: poisons, and trainings of
// surrogates.
//
// Thread safety: none. While it works, linear layers multiply as LibTorch does (nn/runtime.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ward/attack/interval.h"
#include "ward/data/dataset.h"
#include "ward/train/trainer.h"

namespace ward::attack {

struct CleanLabelOptions {
    std::string attack = "gradient-matching";
    double rate = 0.01;           // share of the training examples that are moved, in (0, 1)
    int64_t target_class = 0;     // what the victim is to say; the class of the poisons
    int64_t source_class = 1;     // of the test examples that are to be mistaken for it
    double epsilon = 16.0 / 255;  // most that an input moves, of the width of its box (gradients)
    int64_t steps = 0;            // 0: its own: 250; feature-collision 1000
    int64_t restarts = 0;         // 0: its own: 4; 1 with retrainings, which allow no more
    int64_t surrogates = 1;       // gradients: an ensemble of so many
    bool staggered = false;       // gradients: surrogate i of n is trained for i / n of the epochs
    bool largest_gradients = false;  // gradient-matching: the poisons are the examples of the
                                     // target class with the largest gradients, not random ones
    double step_size = 0.1;    // gradients: of epsilon
    int64_t retrainings = -1;  // gradients: of the surrogates while poisons are made, with them
                               // in the data; -1: its own: gradient-matching 0, sleeper 4
    int64_t patch = 3;         // sleeper: side of the trigger in pixels
    double similarity = 0.1;   // feature-collision: beta, the weight of looking like the base
    double watermark = 0;      // feature-collision: share of the target mixed into each base
    const model::Model* features = nullptr;  // feature-collision: extractor; none: trained on half
                                             // of the data, and the victim on the other half
    uint64_t seed = 1;
};

std::vector<std::string> clean_label_names();
bool is_clean_label(std::string_view attack);

struct CleanLabelTrial {
    int64_t target = -1;             // row of the test part that is to be mistaken; sleeper: -1
    double loss = 0;                 // what the attack minimised, at its end
    double largest_move = 0;         // of any input, of the width of its box
    double mean_move = 0;            // root mean square over all inputs of the poisons
    std::vector<double> successes;   // per training of the victim: 0 or 1; sleeper: a share
    std::vector<double> accuracies;  // of the victims on clean test examples
    double success_without_poison = 0;
    double clean_accuracy = 0;  // of the model trained without poison
};

struct CleanLabelResult {
    std::vector<CleanLabelTrial> trials;
    int64_t changed = 0;  // training examples
    // Means over trials and trainings.
    double success = 0, success_without_poison = 0, poisoned_accuracy = 0, clean_accuracy = 0;
    // 95 %, Clopper-Pearson, of the share of trials in which most victims obey: trainings of one
    // trial share their poisons and are no independent trials.
    Interval trial_interval;
    bool ruined = false;     // as PoisonResult::ruined
    bool succeeded = false;  // not ruined, at least half, and clearly more than without poison
    double seconds = 0;
};

// Per trial: a model without poison, a target that it gets right, poisons, and `trainings` victims
// with seeds of their own. Throws Error kUsage (an unknown name, options out of range, a class with
// too few examples), kInvalid (data without labels; a trigger wants images), kUnsupported (a
// network that does not end in a linear layer).
CleanLabelResult run_clean_label(const data::Dataset& train, const data::Dataset& test,
                                 const train::TrainOptions& training,
                                 const CleanLabelOptions& options, int64_t trials = 1,
                                 int64_t trainings = 1);

}  // namespace ward::attack
