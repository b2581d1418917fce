// Settings that are known to work, by name: a network and how to train it. Every value can be
// overruled by a flag.
//
// A recipe is public knowledge. Choosing among recipes, or their values, by looking at results on
// private data is a release of its own that a plan does not account for; the ones here were chosen
// on the public sets they are named after.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ward/data/dataset.h"
#include "ward/model/spec.h"
#include "ward/train/trainer.h"

namespace ward::train {

struct Recipe {
    std::string name;
    std::string summary;  // one line for --help
    std::string model;    // zoo name
    model::Activation::Function activation = model::Activation::Function::kTanh;
    std::vector<int64_t> hidden;  // mlp
    int64_t batch_size = 256;
    double epochs = 10;
    double clipping_norm = 1;
    dp::ClippingKind clipping = dp::ClippingKind::kFlat;
    OptimizerOptions optimizer;
    Schedule schedule;
    double ema_decay = 0;
    Augmentation augmentation;
    // Each image is first brought to mean 0 and variance 1, by a group norm without parameters to
    // train: a function of that image alone, so it costs no privacy.
    bool standardise_images = false;
};

const std::vector<Recipe>& recipes();

// Throws Error kUsage naming the known ones.
const Recipe& recipe_named(const std::string& name);

// The recipe with the name of this (public) data set, or else the one for its kind, at this privacy
// level (nothing: a non-private run). A recipe of
// the same name with "-strict" behind it, if there is one, is for epsilon below 2.
const Recipe& default_recipe(const data::Dataset& data, std::optional<double> epsilon);

// Options of a run: everything but the spec, the privacy target and where things are kept.
TrainOptions options_of(const Recipe& recipe);

// The same for a run without privacy. Steps and batches of a recipe are for clipped gradients and
// noise; without them such steps diverge, and batches so large only cost time. So Adam with small
// batches instead, for as many passes over the data, and more where the data are few.
TrainOptions options_without_privacy(const Recipe& recipe, int64_t examples);

// The network of a zoo name for this data, with the recipe's settings where it is the recipe's
// network.
model::ModelSpec spec_for(const data::Dataset& data, const std::string& model,
                          const Recipe& recipe);

}  // namespace ward::train
