#include "ward/he/infer/internal/layout.h"

#include <algorithm>
#include <bit>

namespace ward::he::internal {
namespace {

int ceil_power(int64_t n) {
    return static_cast<int>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(n, 1))));
}

// Calls f(diagonal, place, value) for each entry of the matrix.
template <typename F>
void for_entries(const Stage& stage, const Layout& input, const StageLayout& how, F&& f) {
    const int mask = input.period - 1;
    for (int64_t row = 0; row < stage.matrix.rows; ++row) {
        const int slot = how.output.slot[row];
        for (int64_t e = stage.matrix.start[row]; e < stage.matrix.start[row + 1]; ++e) {
            const int distance = (input.slot[stage.matrix.column[e]] - slot) & mask;
            if (how.kind == StageLayout::Kind::kGrid) {
                f(distance, slot, stage.matrix.value[e]);
            } else {
                const int part = distance / how.window;
                f(distance % how.window, slot + part * how.window, stage.matrix.value[e]);
            }
        }
    }
}

void find_diagonals(const Stage& stage, const Layout& input, StageLayout& how) {
    std::vector<bool> used(static_cast<size_t>(input.period), false);
    for_entries(stage, input, how, [&](int diagonal, int, double) { used[diagonal] = true; });
    for (int k = 0; k < input.period; ++k) {
        if (used[k]) how.diagonals.push_back(k);
    }
}

// Rows in blocks of the input's period, `window` in each.
StageLayout fold_layout(const Stage& stage, const Layout& input, int window, int blocks) {
    StageLayout how;
    how.kind = StageLayout::Kind::kFold;
    how.window = window;
    how.matrix_period = input.period * ceil_power(blocks);
    how.output.period = blocks == 1 ? window : how.matrix_period;
    for (int64_t row = 0; row < stage.matrix.rows; ++row) {
        how.output.slot.push_back(static_cast<int>(row / window) * input.period +
                                  static_cast<int>(row % window));
    }
    for (int step = window; step < input.period; step *= 2) how.folds.push_back(step);
    return how;
}

// Channels in the gaps between the pixels; false where they do not fit.
bool grid_layout(const Stage& stage, const Layout& input, int slots, bool use_gaps,
                 StageLayout& how) {
    const int dilation = input.dilation * static_cast<int>(stage.stride);
    const int gaps = use_gaps ? dilation * dilation : 1;
    const auto channels = static_cast<int>(stage.output_shape[0]);
    const int height = static_cast<int>(stage.output_shape[1]);
    const int width = static_cast<int>(stage.output_shape[2]);
    const int last = ((height - 1) * dilation + (use_gaps ? dilation - 1 : 0)) * input.base_row +
                     (width - 1) * dilation + (use_gaps ? dilation - 1 : 0);
    const int blocks = ceil_power((channels + gaps - 1) / gaps);
    if (width * dilation > input.base_row || last >= input.plane) return false;
    if (int64_t{blocks} * input.plane > slots) return false;
    how.kind = StageLayout::Kind::kGrid;
    how.output = {
        std::max(input.period, blocks * input.plane), {}, input.base_row, dilation, input.plane};
    how.matrix_period = how.output.period;
    for (int c = 0; c < channels; ++c) {
        const int gap = c % gaps;
        const int corner =
            c / gaps * input.plane + gap / dilation * input.base_row + gap % dilation;
        for (int y = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x) {
                how.output.slot.push_back(corner + (y * input.base_row + x) * dilation);
            }
        }
    }
    return true;
}

}  // namespace

Layout input_layout(const Network& network) {
    Layout layout;
    const model::Shape& shape = network.input_shape;
    if (shape.size() != 3) {
        for (int64_t u = 0; u < network.inputs; ++u) layout.slot.push_back(static_cast<int>(u));
        layout.period = ceil_power(network.inputs);
        return layout;
    }
    const int pixels = static_cast<int>(shape[1] * shape[2]);
    layout.plane = ceil_power(pixels);
    layout.base_row = static_cast<int>(shape[2]);
    layout.dilation = 1;
    layout.period = layout.plane * ceil_power(shape[0]);
    for (int c = 0; c < shape[0]; ++c) {
        for (int i = 0; i < pixels; ++i) layout.slot.push_back(c * layout.plane + i);
    }
    return layout;
}

std::vector<StageLayout> candidates(const Stage& stage, const Layout& input, int slots) {
    std::vector<StageLayout> out;
    if (stage.pool > 1 && input.dilation == 0) return out;  // its pixels are no longer neighbours
    for (int window = 1; window <= input.period; window *= 2) {
        const int64_t blocks = (stage.matrix.rows + window - 1) / window;
        if (int64_t{ceil_power(blocks)} * input.period > slots) continue;
        out.push_back(fold_layout(stage, input, window, static_cast<int>(blocks)));
    }
    if (stage.stride > 0 && input.dilation > 0 && stage.output_shape.size() == 3) {
        for (bool use_gaps : {false, true}) {
            StageLayout how;
            if (use_gaps && input.dilation * stage.stride == 1) continue;
            if (grid_layout(stage, input, slots, use_gaps, how)) out.push_back(std::move(how));
        }
    }
    for (StageLayout& how : out) {
        find_diagonals(stage, input, how);
        for (int step = 1; step < stage.pool; step *= 2) {
            how.pools.push_back(step * input.dilation);
            how.pools.push_back(step * input.dilation * input.base_row);
        }
    }
    return out;
}

std::map<int, std::vector<double>> fill_diagonals(const Stage& stage, const Layout& input,
                                                  const StageLayout& how) {
    std::map<int, std::vector<double>> out;
    for (int k : how.diagonals) out[k].resize(static_cast<size_t>(how.matrix_period));
    for_entries(stage, input, how,
                [&](int diagonal, int slot, double value) { out[diagonal][slot] += value; });
    return out;
}

std::map<int, std::vector<double>> direct_diagonals(const SparseMatrix& matrix, const Layout& input,
                                                    const Layout& output) {
    std::map<int, std::vector<double>> out;
    const int period = std::max(input.period, output.period);
    for (int64_t row = 0; row < matrix.rows; ++row) {
        for (int slot = output.slot[row]; slot < period; slot += output.period) {
            for (int64_t e = matrix.start[row]; e < matrix.start[row + 1]; ++e) {
                const int distance = (input.slot[matrix.column[e]] - slot) & (input.period - 1);
                auto& places = out[distance];
                places.resize(static_cast<size_t>(period));
                places[slot] += matrix.value[e];
            }
        }
    }
    return out;
}

std::vector<double> place(const Layout& layout, std::span<const double> values) {
    std::vector<double> out(static_cast<size_t>(layout.period), 0.0);
    for (size_t u = 0; u < values.size(); ++u) out[layout.slot[u]] = values[u];
    return out;
}

}  // namespace ward::he::internal
