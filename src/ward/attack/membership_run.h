// The whole experiment: a target, those it was trained on, others of the same kind; references,
// signals, attacks, curves.
//
// Some of the others are set aside as population before references are trained. References are
// trained on halves of all remaining examples, the way the target was trained. Every example that
// is not in the population is attacked.
//
// Thread safety: as train_shadows.
#pragma once

#include <string>
#include <vector>

#include "ward/attack/label_only.h"
#include "ward/attack/membership.h"
#include "ward/attack/membership_target.h"
#include "ward/attack/roc.h"
#include "ward/attack/shadow.h"
#include "ward/data/dataset.h"
#include "ward/model/model.h"

namespace ward::attack {

struct MembershipRunOptions {
    // Empty: all that the references suffice for, but those that pay queries for labels; of a
    // target that gives nothing else, label-gap and label-augment or, where there are no images,
    // label-noise.
    std::vector<std::string> attacks;
    ShadowOptions shadows;  // models = 0: none, and no attacks that need them
    MembershipOptions scores;
    LabelOnlyOptions labels;
    RocOptions roc;
    double population_share = 0.25;  // of the others, in (0, 1)
    int64_t count = 0;               // attack at most so many members and as many others; 0: all
};

struct AttackedMembership {
    std::string attack;
    Roc roc;
};

struct MembershipResult {
    std::vector<AttackedMembership> attacks;
    int64_t members = 0, others = 0, population = 0;
    double member_accuracy = 0, other_accuracy = 0;  // of the target, on those attacked
    int64_t references = 0, references_from_cache = 0;
    int64_t reference_examples = 0;  // that each reference was trained on
    int64_t queries = 0;             // that the target answered
    int64_t label_queries = 0;       // of these, for the attacks by labels
    bool labels_only = false;        // the target gives nothing else
    AnswerForm answer;               // what its scores are
    // Why the target ended it; all figures are then of the examples before. Empty: it did not.
    std::string partial;
    double seconds = 0;
    std::vector<std::string> flags;  // what makes the figures doubtful, in words
};

// Throws Error kInvalid (data that do not fit the model, too few examples), kUsage (options out of
// range; references for a target that gives labels only) and what train_shadows and the target
// throw. A target that fails after the first block of examples makes the result partial. It is
// asked before references are trained.
MembershipResult run_membership(const MembershipTarget& target, const data::Dataset& members,
                                const data::Dataset& others, const MembershipRunOptions& options);
MembershipResult run_membership(const model::Model& target, const data::Dataset& members,
                                const data::Dataset& others, const MembershipRunOptions& options);

// How a model says that it was trained, in its card. Privacy comes back as a noise multiplier.
// Throws Error kInvalid where the card does not say it.
train::TrainOptions training_of(const model::Model& model);

}  // namespace ward::attack
