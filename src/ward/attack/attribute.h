// Attribute inference: one column of a person's row, from the model and the rest of the row.
//
// Fredrikson et al. 2014 (Privacy in Pharmacogenetics, figure 2) and Yeom et al. 2018 (section 4):
// the attacker fills in each value that the column can take, asks the model, and guesses the value
// that maximises prior(value) x p(right class | row with that value)^weight. The papers' weight is
// 1; as the prior leaves out what the rest of the row says about the column, that can be worse than
// the prior alone, so the weight is chosen on the auxiliary rows among 0, 0.1, 0.25, 0.5, 1 and 2.
// The prior is what `baseline` has alone: the marginal of the column in an auxiliary sample of the
// same kind that nobody trained on. Beside it stands the guess with all values equally likely,
// which rare values need.
//
// Two comparisons say what a figure means. Model against marginal: does the model help at all?
// That may be no fault of its own, as a good model tells how columns and classes belong together.
// Members against others (Yeom's advantage): does it help more for those it was trained on? Only
// that is a leak about them.
//
// Threat: scores of the model, the row but for one column, and the row's label.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ward/attack/interval.h"
#include "ward/data/dataset.h"
#include "ward/model/model.h"

namespace ward::attack {

struct AttributeOptions {
    std::string column;            // as in the schema, or one input ("pixel_20")
    double auxiliary_share = 0.5;  // of the others, set aside for the marginal, in (0, 1)
    int64_t most_values = 64;      // a column with more values in the auxiliary sample is refused
    int64_t count = 0;             // attack at most so many members and as many others; 0: all
    uint64_t seed = 1;
};

struct GuessRate {
    double accuracy = 0;
    Interval interval;    // Clopper-Pearson, 95 %
    double balanced = 0;  // mean over values of the share of their rows that are guessed
};

// Of members or of others.
struct AttributeSide {
    int64_t examples = 0;
    GuessRate attack;    // prior x likelihood
    GuessRate uniform;   // likelihood alone
    GuessRate baseline;  // prior alone: always the most frequent value
};

struct AttributeResult {
    AttributeSide members, others;
    int64_t values = 0;     // that the column takes in the auxiliary sample
    int64_t auxiliary = 0;  // its size
    int64_t unknown = 0;    // attacked rows with a value outside it: no guess is right
    // Accuracy of the model alone on members less that on others: a weight chosen on rows that the
    // model was not trained on would hide what it knows of members only.
    double advantage = 0;
    Interval advantage_interval;  // Newcombe's for two shares, 95 %
    double weight = 0;  // of the likelihood; 0: the model was no help on the auxiliary sample
    int64_t queries = 0;
    std::vector<std::string> flags;
};

// Inputs that encode a column: the one of that name, or all "column=category". Throws Error kUsage
// where there are none, naming some that there are.
std::vector<int64_t> inputs_of(const data::Dataset& data, const std::string& column);

// Throws Error kInvalid (no labels, data that do not fit, too many values or only one), kUsage
// (options out of range, unknown column).
AttributeResult infer_attribute(const model::Model& target, const data::Dataset& members,
                                const data::Dataset& others, const AttributeOptions& options);

}  // namespace ward::attack
