#include "ward/he/infer/internal/weight_layout.h"

#include <algorithm>
#include <bit>

namespace ward::he::internal {
namespace {

constexpr int kMostCiphertexts = 256;  // of the weights of the first layer

}  // namespace

bool lay_out(std::vector<WeightStage>& stages, int slots) {
    int block = 0, depth = 0;
    for (size_t i = 0; i < stages.size(); ++i) {
        WeightStage& how = stages[i];
        how.by_columns = i % 2 == 0;
        // The operand of later layers lies as the layer before has left it.
        how.block = block;
        if (how.by_columns && how.rows > block) {
            how.block = static_cast<int>(std::bit_ceil(static_cast<unsigned>(how.rows)));
        }
        if (how.block > slots) return false;
        const int blocks = slots / how.block;
        const int needed = how.by_columns ? how.columns : how.rows;
        how.ciphertexts = (needed + blocks - 1) / blocks;
        if (how.ciphertexts > (i == 0 ? kMostCiphertexts : 1)) return false;
        if (i > 0 && how.by_columns && how.block != block) return false;
        block = how.block;
        depth += (how.by_columns ? 1 : 2) + (how.has_activation ? how.activation.depth() : 0);
    }
    for (WeightStage& how : stages) {
        how.level = depth;
        depth -= (how.by_columns ? 1 : 2) + (how.has_activation ? how.activation.depth() : 0);
    }
    return true;
}

std::map<int, int> rotations_of(const std::vector<WeightStage>& stages, int slots) {
    std::map<int, int> rotations;
    const auto use = [&](int step, int level) {
        int& highest = rotations[step % slots];
        highest = std::max(highest, level);
    };
    for (const WeightStage& how : stages) {
        if (how.by_columns) {
            for (int step = how.block; step < slots; step *= 2) use(step, how.level - 1);
            continue;
        }
        for (int step = 1; step < how.block; step *= 2) {
            use(step, how.level - 1);
            use(slots - step, how.level - 2);
        }
    }
    return rotations;
}

}  // namespace ward::he::internal
