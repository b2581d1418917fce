#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/he/infer/encrypted_weights.h"
#include "ward/he/infer/internal/weight_layout.h"

namespace ward::he {
namespace {

constexpr int kMostIntegerBits = 40;  // of CkksRequest

// A public bound that tells no more about the values than their power of two.
double rounded_up(double x) { return std::exp2(std::ceil(std::log2(std::max(x, 0x1p-20)))); }

class WeightPlanner {
  public:
    WeightPlanner(const Network& network, const PlanRequest& request)
        : network_(network), request_(request) {
        plan_.input = request.input;
        for (const Stage& stage : network.stages) {
            if (stage.pool == 1 && stage.skips.empty()) continue;
            throw Error(ErrorCode::kUnsupported,
                        (stage.pool > 1 ? "pooling in " : "a residual block in ") + stage.name +
                            " has no form with encrypted weights",
                        "use fully connected layers");
        }
    }

    WeightPlan run() {
        for (int log_slots = 11; log_slots <= 15; ++log_slots) {
            if (!pack(1 << log_slots)) continue;
            plan_.parameters = ckks_parameters({.depth = plan_.stages.front().level,
                                                .scale_bits = request_.scale_bits,
                                                .integer_bits = integer_bits_,
                                                .min_slots = 1 << log_slots,
                                                .security = request_.security});
            if (plan_.parameters.log_degree - 1 != log_slots) continue;
            plan_.rotations = internal::rotations_of(plan_.stages, 1 << log_slots);
            return plan_;
        }
        throw Error(
            ErrorCode::kUnsupported,
            "the layers of " + network_.name + " do not fit the packing of encrypted weights",
            "use fully connected layers, the second and fourth of at most 8192 / width rows");
    }

  private:
    bool pack(int slots) {
        plan_.stages.clear();
        for (const Stage& stage : network_.stages) {
            WeightStage how;
            how.rows = static_cast<int>(stage.matrix.rows);
            how.columns = static_cast<int>(stage.matrix.columns);
            how.has_activation = stage.has_activation;
            how.activation = stage.activation;
            plan_.stages.push_back(std::move(how));
        }
        if (!internal::lay_out(plan_.stages, slots)) return false;
        follow_values();
        return integer_bits_ <= kMostIntegerBits;
    }

    void follow_values() {
        integer_bits_ = 1;
        int level = plan_.stages.front().level;
        std::vector<std::vector<Interval>> operands = {
            std::vector<Interval>(static_cast<size_t>(network_.inputs), request_.input)};
        double operand = request_.input.magnitude();
        for (size_t i = 0; i < plan_.stages.size(); ++i) {
            const Stage& stage = network_.stages[i];
            WeightStage& how = plan_.stages[i];
            set_bounds(stage, how);
            const double terms = how.by_columns ? how.columns : how.block;
            level -= how.by_columns ? 1 : 2;
            std::vector<Interval> units = propagate(stage, operands);
            for (const Interval& x : units) {
                how.value_bound = std::max(how.value_bound, x.magnitude());
            }
            how.value_bound = rounded_up(how.value_bound);
            how.sum_bound = rounded_up(terms * how.weight_bound * operand);
            if (how.has_activation && !how.activation.is_square()) {
                how.value_bound = how.activation.radius;
            }
            // A fold doubles the bound before it is known to be that of all products.
            need(4 * how.sum_bound + how.bias_bound, level);
            if (how.has_activation) level -= how.activation.depth();
            operand = 0;
            for (Interval& x : units) {
                if (how.has_activation) x = apply(how.activation, x);
                operand = std::max(operand, x.magnitude());
            }
            operands.push_back(std::move(units));
            need(4 * std::max(operand, how.value_bound), level);
            if (how.has_activation && how.activation.is_square()) {
                operand = how.value_bound * how.value_bound;
                need(2 * operand, level);
            }
        }
    }

    void set_bounds(const Stage& stage, WeightStage& how) const {
        const bool polynomial = how.has_activation && !how.activation.is_square();
        const double share = polynomial ? 1 / how.activation.radius : 1.0;
        for (double w : stage.matrix.value) {
            how.weight_bound = std::max(how.weight_bound, std::abs(w) * share);
        }
        for (double b : stage.bias) how.bias_bound = std::max(how.bias_bound, std::abs(b) * share);
        how.weight_bound = rounded_up(how.weight_bound);
        how.bias_bound = rounded_up(how.bias_bound);
    }

    void need(double value, int level) {
        const double above = std::log2(std::max(value, 1.0)) - level * request_.scale_bits;
        integer_bits_ = std::max(integer_bits_, static_cast<int>(std::ceil(above)) + 2);
    }

    const Network& network_;
    const PlanRequest& request_;
    WeightPlan plan_;
    int integer_bits_ = 1;
};

}  // namespace

WeightPlan plan_encrypted_weights(const Network& network, const PlanRequest& request) {
    return WeightPlanner(network, request).run();
}

}  // namespace ward::he
