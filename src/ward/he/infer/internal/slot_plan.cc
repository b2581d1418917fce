#include "ward/he/infer/internal/slot_plan.h"

#include <algorithm>

namespace ward::he::internal {
namespace {

// In key switches; from measurements of LinearTransform.
constexpr double kBaby = 0.4, kGiant = 1.0, kFold = 1.05, kDiagonal = 0.03;
constexpr size_t kBeam = 6;  // partial choices that are followed

// Slots that hold no unit may hold sums of parts of rows: a square bears them, a polynomial that is
// small on an interval only does not, and who decrypts the outputs must not see them.
bool leaves_rests(const StageLayout& layout, const Layout& input) {
    return layout.kind == StageLayout::Kind::kFold && layout.matrix_period > input.period;
}

struct Partial {
    SlotPlan plan;
    Layout layout;   // after the last stage
    int period = 1;  // that the ciphertext has, as far as the evaluator knows
};

SlotStage price(StageLayout layout, int period) {
    SlotStage stage;
    stage.transform_period = std::max(period, layout.matrix_period);
    stage.steps = LinearTransform::steps(layout.diagonals, stage.transform_period);
    stage.cost = kBaby * stage.steps.babies + kGiant * stage.steps.giants +
                 kFold * static_cast<double>(layout.folds.size() + layout.pools.size()) +
                 kDiagonal * static_cast<double>(layout.diagonals.size());
    stage.layout = std::move(layout);
    return stage;
}

}  // namespace

SlotPlan choose_layouts(const Network& network, int slots) {
    const Layout input = input_layout(network);
    std::vector<Partial> beam;
    if (input.period <= slots) beam.push_back({{input, {}, 0}, input, input.period});
    for (size_t index = 0; index < network.stages.size(); ++index) {
        const Stage& stage = network.stages[index];
        std::vector<Partial> next;
        const bool last = index + 1 == network.stages.size();
        const bool image_wanted = !last && network.stages[index + 1].pool > 1;
        const bool bears_rests = !last && (!stage.has_activation || stage.activation.is_square());
        for (const Partial& partial : beam) {
            for (StageLayout& layout : candidates(stage, partial.layout, slots)) {
                if (!bears_rests && leaves_rests(layout, partial.layout)) continue;
                if (image_wanted && layout.output.dilation == 0) continue;
                Partial longer = partial;
                longer.layout = layout.output;
                SlotStage priced = price(std::move(layout), partial.period);
                longer.period = priced.transform_period;
                longer.plan.cost += priced.cost;
                longer.plan.stages.push_back(std::move(priced));
                next.push_back(std::move(longer));
            }
        }
        std::stable_sort(next.begin(), next.end(), [](const Partial& a, const Partial& b) {
            return a.plan.cost < b.plan.cost;
        });
        if (next.size() > kBeam) next.resize(kBeam);
        beam = std::move(next);
    }
    return beam.empty() ? SlotPlan{} : std::move(beam.front().plan);
}

SlotBounds slot_bounds(const Stage& stage, const Layout& input, const SlotStage& how,
                       std::span<const Interval> input_units) {
    const auto period = static_cast<size_t>(how.layout.matrix_period);
    std::vector<Interval> at_slot(static_cast<size_t>(input.period));
    const auto units = pooled(stage, input_units);
    for (size_t u = 0; u < units.size(); ++u) at_slot[input.slot[u]] = units[u];
    std::vector<Interval> sums(period);
    for (const auto& [k, places] : fill_diagonals(stage, input, how.layout)) {
        for (size_t s = 0; s < period; ++s) {
            const Interval& x = at_slot[(s + static_cast<size_t>(k)) % at_slot.size()];
            const double w = places[s];
            sums[s].low += w * (w >= 0 ? x.low : x.high);
            sums[s].high += w * (w >= 0 ? x.high : x.low);
        }
    }
    SlotBounds bounds;
    const auto note = [&] {
        bounds.final = 0;
        for (const Interval& x : sums) bounds.final = std::max(bounds.final, x.magnitude());
        bounds.ever = std::max(bounds.ever, bounds.final);
    };
    note();
    for (int step : how.layout.folds) {
        std::vector<Interval> folded(period);
        for (size_t s = 0; s < period; ++s) {
            const Interval& other = sums[(s + static_cast<size_t>(step)) % period];
            folded[s] = {sums[s].low + other.low, sums[s].high + other.high};
        }
        sums = std::move(folded);
        note();
    }
    return bounds;
}

}  // namespace ward::he::internal
