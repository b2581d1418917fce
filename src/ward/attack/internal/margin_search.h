// What attacks share that weigh a margin against a distance: the pass that tells the margin and its
// gradient, the weight of the margin found by bisection, Adam on single coordinates (on
// rows: descent_kernels.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "ward/attack/evasion.h"

namespace ward::attack {

// What the attacker raises, {n}: by how much the best wrong class stands above the right one;
// targeted: the wanted class above the best other one. > 0 is fooled.
at::Tensor margin_of(const Points& points, const at::Tensor& logits);

struct MarginPass {
    at::Tensor logits, margin;  // {n, classes}, {n}
    at::Tensor gradient;        // of the margin, as x
};
// One forward and one backward pass per example.
MarginPass margin_gradient(Target& target, const Points& points, const at::Tensor& x);

// The weight c of the margin in `distance - c margin`, between what was too little and what was
// enough.
class MarginWeight {
  public:
    explicit MarginWeight(double first) : value_(first) {}

    double value() const { return value_; }
    void update(bool fooled);

  private:
    double value_, low_ = 0, high_ = kMost;
    static constexpr double kMost = 1e10;
};

// Tells which examples one descent with these weights fooled at any time.
using WeightedDescent = std::function<std::vector<bool>(const std::vector<MarginWeight>& weights)>;
// `rounds` descents of `examples`, each with weights that the ones before have narrowed down.
void search_weights(int64_t examples, double first, int64_t rounds, const WeightedDescent& descend);

// Ends a descent that has not lowered its total by 0.01 % over a tenth of its steps.
class Stagnation {
  public:
    explicit Stagnation(int64_t steps) : window_(std::max<int64_t>(1, steps / 10)) {}
    bool due(int64_t step) const { return step % window_ == 0; }  // step counts from 1
    bool reached(int64_t step, double total);                     // false where it is not due

  private:
    int64_t window_;
    double before_ = INFINITY;
};

// Ends a descent that wanders: whose least objective over a tenth of its steps is not 0.01 % below
// the least one before.
class Plateau {
  public:
    explicit Plateau(int64_t steps) : window_(std::max<int64_t>(1, steps / 10)) {}
    int64_t window() const { return window_; }
    bool reached(int64_t step, double total);  // to be called at every step, from 0 on

  private:
    int64_t window_;
    double before_ = INFINITY, least_ = INFINITY;
};

// One step of Adam (Kingma and Ba 2015, algorithm 1), coordinate by coordinate.
class AdamStep {
  public:
    AdamStep(double rate, int64_t step)  // step counts from 1
        : rate_(rate),
          bias1_(1 - std::pow(kBeta1, double(step))),
          bias2_(1 - std::pow(kBeta2, double(step))) {}

    // What a descent adds to the coordinate; `mean` and `square` are its moments.
    float change(double slope, float& mean, float& square) const {
        mean = static_cast<float>(kBeta1 * mean + (1 - kBeta1) * slope);
        square = static_cast<float>(kBeta2 * square + (1 - kBeta2) * slope * slope);
        return static_cast<float>(-rate_ * (mean / bias1_) / (std::sqrt(square / bias2_) + kTiny));
    }

  private:
    static constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8;
    double rate_, bias1_, bias2_;
};

}  // namespace ward::attack
