// The layouts that a plan has chosen for the stages of a network in one ciphertext.
#pragma once

#include <vector>

#include "ward/he/infer/internal/layout.h"
#include "ward/he/linear_transform.h"

namespace ward::he::internal {

struct SlotStage {
    StageLayout layout;
    int transform_period = 1;  // of the matrix: at least that of its operand
    LinearTransform::Steps steps;
    double cost = 0;  // in key switches, with those of skips
    struct SkipStep {
        int period = 1;  // of its transform
        size_t diagonals = 0;
        LinearTransform::Steps steps;
    };
    std::vector<SkipStep> skips;  // as in the stage
};

struct SlotPlan {
    Layout input;
    std::vector<SlotStage> stages;
    double cost = 0;

    // What stage `index` begins with.
    const Layout& operand(size_t index) const {
        return index == 0 ? input : stages[index - 1].layout.output;
    }
    // That its ciphertext has, as far as the evaluator knows.
    int operand_period(size_t index) const;
};

// The cheapest layouts found for so many slots; empty stages when there is no room.
SlotPlan choose_layouts(const Network& network, int slots);

// Largest absolute values of all slots of a stage's sums, units or not, before bias and activation:
// when they are complete, and at any time before.
struct SlotBounds {
    double final = 0, ever = 0;
};
SlotBounds slot_bounds(const Stage& stage, const Layout& input, const SlotStage& how,
                       std::span<const std::vector<Interval>> operands);

}  // namespace ward::he::internal
