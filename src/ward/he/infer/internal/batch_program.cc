// A ciphertext for each unit, an example in each slot (CryptoNets: Gilad-Bachrach et al., ICML
// 2016). Products with weights are products with integers modulo each prime, squares stay of three
// polynomials until the next sums have made them fewer.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>

#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/he/infer/internal/bounds.h"
#include "ward/he/infer/internal/program_body.h"
#include "ward/he/internal/encode.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/polynomial.h"

namespace ward::he::internal {
namespace {

// Words of each operand that are worked on together: the operands of a few rows of a dense layer
// stay in the second-level cache.
constexpr size_t kPiece = 128;

// A weight times its scale, rounded, modulo a prime.
uint64_t residue(const Modulus& q, double scaled) {
    if (!(std::abs(scaled) < kLargestCoefficient)) {
        throw Error(ErrorCode::kInvalid, "the weights of the model are too large to encode");
    }
    const auto x = static_cast<int64_t>(std::llround(scaled));
    const uint64_t magnitude = q.reduce64(static_cast<uint64_t>(x < 0 ? -x : x));
    return x < 0 ? q.negate(magnitude) : magnitude;
}

SparseMatrix side_by_side(const SparseMatrix& a, const SparseMatrix& b) {
    SparseMatrix out;
    out.rows = a.rows;
    out.columns = a.columns + b.columns;
    for (int64_t i = 0; i < a.rows; ++i) {
        for (int64_t e = a.start[i]; e < a.start[i + 1]; ++e) {
            out.column.push_back(a.column[e]);
            out.value.push_back(a.value[e]);
        }
        for (int64_t e = b.start[i]; e < b.start[i + 1]; ++e) {
            out.column.push_back(static_cast<int32_t>(a.columns + b.column[e]));
            out.value.push_back(b.value[e]);
        }
        out.start.push_back(out.entries());
    }
    return out;
}

double largest_row_norm(const SparseMatrix& m) {
    double largest = 0;
    for (int64_t i = 0; i < m.rows; ++i) {
        double squares = 0;
        for (int64_t e = m.start[i]; e < m.start[i + 1]; ++e) squares += m.value[e] * m.value[e];
        largest = std::max(largest, std::sqrt(squares));
    }
    return largest;
}

// Errors of the inputs of a layer are, as a vector, random with a covariance of at most s^2 I:
// fresh ones are independent, those of sums follow from the norm of the matrix, and activations
// change each by a factor (to the first order) and add roundings of their own. So the error of a
// unit of the last layer is bounded by the norm of its row.
struct Step {
    const Stage* stage;
    int level;
    double sum_bound, value_bound;
    double error_gain;  // 0: errors are added up
};

class BatchProgram : public Program::Body {
  public:
    BatchProgram(const Network& network, const Plan& plan, ContextPtr context)
        : network_(network), context_(std::move(context)), evaluator_(context_) {
        for (size_t i = 0; i < network_.stages.size(); ++i) {
            Stage& stage = network_.stages[i];
            const StagePlan& step = plan.stages[i];
            // Chebyshev's polynomials want arguments within 1: the matrix takes the radius.
            const bool polynomial = stage.has_activation && !stage.activation.is_square();
            const double share = polynomial ? 1 / stage.activation.radius : 1.0;
            for (double& w : stage.matrix.value) w *= share;
            for (double& b : stage.bias) b *= share;
            // Skips become further columns: what they begin with stands behind the operand.
            for (Skip& skip : stage.skips) {
                for (double& w : skip.matrix.value) w *= share;
                stage.matrix = side_by_side(stage.matrix, skip.matrix);
            }
            const bool last = i + 1 == network_.stages.size();
            double gain = 0;
            if (!plan.bounds_proven) {
                gain = last ? largest_row_norm(stage.matrix) : norm_bound(stage.matrix);
                // Operands of different stages may have the same errors.
                gain *= std::sqrt(1.0 + static_cast<double>(stage.skips.size()));
            }
            steps_.push_back(
                {&stage, step.level, step.sum_bound * share, step.value_bound * share, gain});
        }
    }

    std::vector<Ciphertext> run(std::span<const Ciphertext> inputs,
                                const EvaluationKeys& keys) const override {
        if (inputs.size() != static_cast<size_t>(network_.inputs)) {
            throw Error(ErrorCode::kInvalid, "expected " + std::to_string(network_.inputs) +
                                                 " ciphertexts, one for each input, got " +
                                                 std::to_string(inputs.size()));
        }
        for (const Ciphertext& x : inputs) {
            check_same_context(context_, x.context());
            if (x.level() != steps_[0].level || x.scale() != inputs[0].scale() ||
                x.size() != inputs[0].size()) {
                throw Error(ErrorCode::kInvalid, "inputs must be fresh ciphertexts of level " +
                                                     std::to_string(steps_[0].level));
            }
        }
        std::vector<Ciphertext> x(inputs.begin(), inputs.end());
        std::vector<std::vector<Ciphertext>> operands;
        for (const Step& step : steps_) {
            operands.push_back(x);
            if (step.stage->pool > 1) x = pooled_units(*step.stage, x);
            if (!step.stage->skips.empty()) x = with_skips(step, x, operands, keys.relin);
            x = layer(step, x, keys.relin);
        }
        return x;
    }

  private:
    std::vector<Ciphertext> layer(const Step& step, const std::vector<Ciphertext>& x,
                                  const RelinKey& relin) const {
        const auto rows = static_cast<size_t>(step.stage->matrix.rows);
        std::vector<std::shared_ptr<CiphertextBody>> sums = weighted_sums(step, x);
        std::vector<std::optional<Ciphertext>> out(rows);
        parallel_for(0, static_cast<int64_t>(rows), 1, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                out[i] = finish(step, i, Ciphertext(std::move(sums[i])), relin);
            }
        });
        std::vector<Ciphertext> result;
        for (auto& c : out) result.push_back(std::move(*c));
        return result;
    }

    // The operand of a stage, and behind it what earlier stages began with at its level and scale;
    // all of two polynomials, as squares are not.
    std::vector<Ciphertext> with_skips(const Step& step, const std::vector<Ciphertext>& x,
                                       const std::vector<std::vector<Ciphertext>>& operands,
                                       const RelinKey& relin) const {
        std::vector<Ciphertext> all = x;
        for (const Skip& skip : step.stage->skips) {
            const auto& units = operands[skip.from];
            all.insert(all.end(), units.begin(), units.end());
        }
        const double scale = x[0].scale();
        parallel_for(0, static_cast<int64_t>(all.size()), 1, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                all[i] = evaluator_.relinearise(all[i], relin);
                if (all[i].level() > step.level) {
                    all[i] = evaluator_.adjust(all[i], step.level, scale);
                }
            }
        });
        return all;
    }

    // Sums over squares of pixels, where the matrix reads them.
    std::vector<Ciphertext> pooled_units(const Stage& stage,
                                         const std::vector<Ciphertext>& x) const {
        const int64_t width = stage.input_shape[2];
        std::vector<Ciphertext> out = x;
        std::vector<bool> read(x.size(), false);
        for (int32_t column : stage.matrix.column) read[column] = true;
        parallel_for(0, static_cast<int64_t>(x.size()), 1, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                for (int64_t place = 1; read[i] && place < stage.pool * stage.pool; ++place) {
                    out[i] = evaluator_.add(out[i],
                                            x[i + place / stage.pool * width + place % stage.pool]);
                }
            }
        });
        return out;
    }

    // Sums at the scale of the operands times the next prime.
    std::vector<std::shared_ptr<CiphertextBody>> weighted_sums(
        const Step& step, const std::vector<Ciphertext>& x) const {
        const SparseMatrix& m = step.stage->matrix;
        const CiphertextBody& like = x[0].body();
        const double scale = evaluator_.rescale_prime(step.level);
        std::vector<std::shared_ptr<CiphertextBody>> sums;
        for (int64_t i = 0; i < m.rows; ++i) {
            std::vector<Poly> parts;
            for (size_t p = 0; p < like.parts.size(); ++p) {
                parts.emplace_back(context_->degree(), like.limbs());
            }
            sums.push_back(with_parts(like, std::move(parts)));
            set_bounds(step, i, x, scale, *sums.back());
        }
        for (size_t limb = 0; limb < like.limbs(); ++limb) sum_limb(m, x, scale, limb, sums);
        return sums;
    }

    void set_bounds(const Step& step, int64_t row, const std::vector<Ciphertext>& x, double scale,
                    CiphertextBody& sum) const {
        const SparseMatrix& m = step.stage->matrix;
        sum.scale *= scale;
        sum.value_bound = sum.error_bound = 0;
        double rounded = 0, largest_error = 0;
        sum.slots = 0;
        for (int64_t e = m.start[row]; e < m.start[row + 1]; ++e) {
            const CiphertextBody& operand = x[m.column[e]].body();
            const double rounding = 0.5 / scale, w = std::abs(m.value[e]);
            sum.value_bound += w * operand.value_bound;
            sum.error_bound += w * operand.error_bound;
            rounded += rounding * (operand.error_bound + operand.value_bound);
            sum.slots = std::max(sum.slots, operand.slots);
        }
        if (step.error_gain > 0) {
            for (const Ciphertext& c : x) largest_error = std::max(largest_error, c.error_bound());
            sum.error_bound = step.error_gain * largest_error;
        }
        sum.error_bound += rounded;
        sum.slots = std::max<size_t>(sum.slots, 1);
        sum.value_bound = std::min(sum.value_bound, step.sum_bound);
    }

    // One prime's residues of all sums, piece by piece: operands are read from memory once, into a
    // block without gaps that stays in the cache.
    void sum_limb(const SparseMatrix& m, const std::vector<Ciphertext>& x, double scale,
                  size_t limb, std::vector<std::shared_ptr<CiphertextBody>>& sums) const {
        const Modulus& q = context_->ring().modulus(limb);
        std::vector<uint64_t> weights;
        for (double w : m.value) weights.push_back(residue(q, w * scale));
        const size_t pieces = (context_->degree() + kPiece - 1) / kPiece;
        parallel_for(0, static_cast<int64_t>(pieces), 1, [&](int64_t first, int64_t last) {
            Buffer block(x.size() * kPiece);
            std::vector<const uint64_t*> operands;
            for (int32_t column : m.column) {
                operands.push_back(block.data() + static_cast<size_t>(column) * kPiece);
            }
            for (int64_t piece = first; piece < last; ++piece) {
                const size_t place = static_cast<size_t>(piece) * kPiece;
                const size_t n = std::min(kPiece, context_->degree() - place);
                for (size_t part = 0; part < x[0].body().parts.size(); ++part) {
                    for (size_t u = 0; u < x.size(); ++u) {
                        std::memcpy(&block[u * kPiece], x[u].body().parts[part].limb(limb) + place,
                                    n * sizeof(uint64_t));
                    }
                    for (int64_t i = 0; i < m.rows; ++i) {
                        const int64_t begin = m.start[i];
                        combine(q, operands.data() + begin, weights.data() + begin,
                                static_cast<size_t>(m.start[i + 1] - begin),
                                sums[i]->parts[part].limb(limb) + place, n);
                    }
                }
            }
        });
    }

    // At most 2^11 products are summed before a reduction.
    static void combine(const Modulus& q, const uint64_t* const* operands, const uint64_t* weights,
                        size_t count, uint64_t* out, size_t n) {
        constexpr size_t kMost = size_t{1} << 11;
        if (count == 0) std::memset(out, 0, n * sizeof(uint64_t));
        uint64_t more[kPiece];
        for (size_t done = 0; done < count; done += kMost) {
            kernels().linear_combination(q, operands + done, weights + done,
                                         std::min(kMost, count - done), done == 0 ? out : more, n);
            if (done > 0) kernels().add(q, out, more, out, n);
        }
    }

    Ciphertext finish(const Step& step, int64_t row, const Ciphertext& sum,
                      const RelinKey& relin) const {
        Ciphertext y = evaluator_.relinearise(evaluator_.rescale(sum), relin);
        // One bound for all units, so that it does not tell their weights apart.
        y = evaluator_.add(y, step.stage->bias[row]);
        y = with_bounds(y, step.value_bound, y.error_bound());
        if (!step.stage->has_activation) return y;
        const PolynomialActivation& activation = step.stage->activation;
        if (activation.is_square()) return evaluator_.rescale(evaluator_.multiply(y, y));
        return evaluate_chebyshev(evaluator_, y, activation.chebyshev, relin, activation.slope);
    }

    Network network_;
    ContextPtr context_;
    CkksEvaluator evaluator_;
    std::vector<Step> steps_;
};

}  // namespace

std::unique_ptr<const Program::Body> make_batch_program(const Network& network, const Plan& plan,
                                                        ContextPtr context) {
    return std::make_unique<BatchProgram>(network, plan, std::move(context));
}

}  // namespace ward::he::internal
