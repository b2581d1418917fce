// One example in one ciphertext: a linear transform, folds and a polynomial for each stage.
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/he/infer/internal/bounds.h"
#include "ward/he/infer/internal/program_body.h"
#include "ward/he/infer/internal/slot_plan.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/linear_transform.h"
#include "ward/he/polynomial.h"

namespace ward::he::internal {
namespace {

struct SkipStep {
    size_t from;
    LinearTransform transform;
};

struct Step {
    LinearTransform transform;
    std::vector<SkipStep> skips;
    int level;
    double scale;  // of the operand
    std::vector<int> pools, folds;
    Plaintext bias;
    double sum_bound, value_bound;  // while sums are made, and before the activation
    bool has_activation;
    PolynomialActivation activation;
};

class SingleProgram : public Program::Body {
  public:
    SingleProgram(const Network& network, const Plan& plan, ContextPtr context)
        : context_(std::move(context)), evaluator_(context_), proven_(plan.bounds_proven) {
        const CkksEncoder encoder(context_);
        double scale = std::exp2(plan.parameters.scale_bits);
        for (size_t i = 0; i < network.stages.size(); ++i) {
            add_step(network.stages[i], plan.stages[i], *plan.slots, i, encoder, scale);
        }
    }

    std::vector<Ciphertext> run(std::span<const Ciphertext> inputs,
                                const EvaluationKeys& keys) const override {
        if (inputs.size() != 1) {
            throw Error(ErrorCode::kInvalid,
                        "expected one ciphertext, got " + std::to_string(inputs.size()));
        }
        Ciphertext x = inputs[0];
        std::vector<Ciphertext> operands;
        for (const Step& step : steps_) {
            operands.push_back(x);
            for (int pool : step.pools) {
                x = evaluator_.add(x, evaluator_.rotate(x, pool, keys.galois));
            }
            x = step.transform.apply(x, keys.galois);
            for (int fold : step.folds) {
                x = with_value_bound(evaluator_.add(x, evaluator_.rotate(x, fold, keys.galois)),
                                     step.sum_bound);
            }
            for (const SkipStep& skip : step.skips) {
                const Ciphertext operand =
                    evaluator_.adjust(operands[skip.from], step.level, step.scale);
                x = evaluator_.add(x, skip.transform.apply(operand, keys.galois));
            }
            x = with_value_bound(evaluator_.add(x, step.bias), step.value_bound);
            if (step.has_activation) x = activate(x, step.activation, keys.relin);
        }
        return {x};
    }

  private:
    // Chebyshev's polynomials want arguments within 1: matrices and bias take the radius.
    void add_step(const Stage& stage, const StagePlan& plan, const SlotPlan& slots, size_t index,
                  const CkksEncoder& encoder, double& scale) {
        const SlotStage& how = slots.stages[index];
        const bool polynomial = stage.has_activation && !stage.activation.is_square();
        const double share = polynomial ? 1 / stage.activation.radius : 1.0;
        const double sum_bound = plan.sum_bound * share, bound = plan.value_bound * share;
        const auto transform = [&](LinearTransform::Diagonals diagonals, int period) {
            for (auto& [k, places] : diagonals) {
                for (double& w : places) w *= share;
            }
            return LinearTransform(
                context_, diagonals, period,
                {.level = plan.level, .value_bound = sum_bound, .independent_errors = !proven_});
        };
        std::vector<SkipStep> skips;
        for (size_t i = 0; i < stage.skips.size(); ++i) {
            const auto from = static_cast<size_t>(stage.skips[i].from);
            skips.push_back(
                {from, transform(direct_diagonals(stage.skips[i].matrix, slots.operand(from),
                                                  how.layout.output),
                                 how.skips[i].period)});
        }
        std::vector<double> bias = place(how.layout.output, stage.bias);
        for (double& b : bias) b *= share;
        steps_.push_back({transform(fill_diagonals(stage, slots.operand(index), how.layout),
                                    how.transform_period),
                          std::move(skips), plan.level, scale, how.layout.pools, how.layout.folds,
                          encoder.encode(bias, {.scale = scale,
                                                .level = plan.level - 1,
                                                .slots = how.layout.output.period}),
                          sum_bound, bound, stage.has_activation, stage.activation});
        if (stage.has_activation && stage.activation.is_square()) {
            scale = scale * scale / evaluator_.rescale_prime(plan.level - 1);
        }
    }

    Ciphertext activate(const Ciphertext& x, const PolynomialActivation& activation,
                        const RelinKey& relin) const {
        if (activation.is_square()) {
            return evaluator_.rescale(evaluator_.multiply(x, x, relin));
        }
        return evaluate_chebyshev(evaluator_, x, activation.chebyshev, relin, activation.slope);
    }

    ContextPtr context_;
    CkksEvaluator evaluator_;
    bool proven_;
    std::vector<Step> steps_;
};

}  // namespace

std::unique_ptr<const Program::Body> make_single_program(const Network& network, const Plan& plan,
                                                         ContextPtr context) {
    return std::make_unique<SingleProgram>(network, plan, std::move(context));
}

}  // namespace ward::he::internal
