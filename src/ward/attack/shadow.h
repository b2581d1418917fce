// Reference ("shadow") models: the same kind of training on random halves of a pool of examples.
//
// Models come in pairs: one of a random half, one of the other half. So every example is known to
// exactly half of the models, also when there are two of them (Carlini et al. 2022, section IV-A).
// Several are trained at once, one thread each. With a cache folder every finished model is stored
// under the digest of all that decides about it (data, rows, network, options), and a model that is
// stored is not trained again: a run that was killed goes on where it was, also inside a model.
//
// Threat: a cache holds models of the pool. Keep it as well as the data.
//
// Thread safety: none; it changes the number of threads of the process while it works.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ward/attack/membership.h"
#include "ward/attack/membership_answer.h"
#include "ward/data/dataset.h"
#include "ward/model/model.h"
#include "ward/train/trainer.h"

namespace ward::attack {

struct ShadowOptions {
    // How each model is trained. Its seed is replaced per model, its checkpoint by one in the
    // cache; a private run keeps its noise multiplier (a target epsilon is refused: it would be met
    // by another noise on another number of rows).
    train::TrainOptions train;
    int64_t models = 16;  // even
    uint64_t seed = 1;    // of the halves and of the initial weights
    std::string cache;    // folder, made where it is missing; empty: nothing is kept
    int jobs = 0;         // models at once; 0: as many as there are threads
};

struct Shadow {
    model::Model model;
    std::vector<uint8_t> held;  // per example of the pool: 1 where it was trained on
    bool from_cache = false;
};

// Throws Error kUsage (an odd number, a pool of fewer than 4) and what training throws.
std::vector<Shadow> train_shadows(const data::Dataset& pool, const ShadowOptions& options);

// The halves that train_shadows uses: [model][example].
std::vector<std::vector<uint8_t>> shadow_halves(int64_t examples, int64_t models, uint64_t seed);

// Confidence of a model in the right classes of a data set, as far as a target of this form would
// tell it.
Confidence confidence_of(const model::Model& model, const data::Dataset& data,
                         const AnswerForm& form = {});

// Adds what references know of examples (the first ones of their pool) and of a population.
void add_references(const std::vector<Shadow>& shadows, const data::Dataset& examples,
                    const data::Dataset& population, const AnswerForm& form,
                    MembershipSignals& signals);

// Signals of a target and its references about examples in question; `shadows` were trained on a
// pool whose first examples.size() rows are these examples. An empty population is allowed.
MembershipSignals membership_signals(const model::Model& target, const std::vector<Shadow>& shadows,
                                     const data::Dataset& examples,
                                     const data::Dataset& population);

}  // namespace ward::attack
