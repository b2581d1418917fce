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

void price_skips(const Stage& stage, const SlotPlan& plan, SlotStage& priced) {
    for (const Skip& skip : stage.skips) {
        const auto from = static_cast<size_t>(skip.from);
        const auto diagonals =
            direct_diagonals(skip.matrix, plan.operand(from), priced.layout.output);
        SlotStage::SkipStep step;
        step.diagonals = diagonals.size();
        step.period = std::max(
            {plan.operand_period(from), plan.operand(from).period, priced.layout.output.period});
        std::vector<int> numbers;
        for (const auto& [k, places] : diagonals) numbers.push_back(k);
        step.steps = LinearTransform::steps(numbers, step.period);
        priced.cost += kBaby * step.steps.babies + kGiant * step.steps.giants +
                       kDiagonal * static_cast<double>(step.diagonals);
        priced.skips.push_back(std::move(step));
    }
}

}  // namespace

SlotPlan choose_layouts(const Network& network, int slots) {
    const Layout input = input_layout(network);
    std::vector<SlotPlan> beam;
    if (input.period <= slots) beam.push_back({input, {}, 0});
    for (size_t index = 0; index < network.stages.size(); ++index) {
        const Stage& stage = network.stages[index];
        std::vector<SlotPlan> next;
        const bool last = index + 1 == network.stages.size();
        const bool image_wanted = !last && network.stages[index + 1].pool > 1;
        const bool bears_rests = !last && (!stage.has_activation || stage.activation.is_square());
        for (const SlotPlan& partial : beam) {
            const Layout& operand = partial.operand(index);
            for (StageLayout& layout : candidates(stage, operand, slots)) {
                if (!bears_rests && leaves_rests(layout, operand)) continue;
                if (image_wanted && layout.output.dilation == 0) continue;
                SlotStage priced = price(std::move(layout), partial.operand_period(index));
                price_skips(stage, partial, priced);
                SlotPlan longer = partial;
                longer.cost += priced.cost;
                longer.stages.push_back(std::move(priced));
                next.push_back(std::move(longer));
            }
        }
        std::stable_sort(next.begin(), next.end(),
                         [](const SlotPlan& a, const SlotPlan& b) { return a.cost < b.cost; });
        if (next.size() > kBeam) next.resize(kBeam);
        beam = std::move(next);
    }
    return beam.empty() ? SlotPlan{} : std::move(beam.front());
}

int SlotPlan::operand_period(size_t index) const {
    if (index == 0) return input.period;
    int period = stages[index - 1].transform_period;
    for (const SlotStage::SkipStep& skip : stages[index - 1].skips) {
        period = std::max(period, skip.period);
    }
    return period;
}

SlotBounds slot_bounds(const Stage& stage, const Layout& input, const SlotStage& how,
                       std::span<const std::vector<Interval>> operands) {
    const auto period = static_cast<size_t>(how.layout.matrix_period);
    std::vector<Interval> at_slot(static_cast<size_t>(input.period));
    const auto units = pooled(stage, operands.back());
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
    double skipped = 0;
    for (const Interval& x : skip_sums(stage, operands)) {
        skipped = std::max(skipped, x.magnitude());
    }
    bounds.final += skipped;
    bounds.ever = std::max(bounds.ever, bounds.final);
    return bounds;
}

}  // namespace ward::he::internal
