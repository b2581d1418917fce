#include "ward/he/infer/plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "ward/core/error.h"
#include "ward/he/infer/internal/slot_plan.h"
#include "ward/he/internal/noise.h"

namespace ward::he {
namespace {

constexpr int kMostIntegerBits = 40;  // of CkksRequest

// Whole inferences of single examples over the sum of their key switches, as measured: memory
// traffic, sums, encodings.
constexpr double kSingleShare = 2;

// Seconds of one transform of one prime, for the cost model: 18 us at N = 16384.
double transform_seconds(int log_degree) {
    return 18e-6 * std::exp2(log_degree - 14) * log_degree / 14;
}

// A key switch is its transforms and about as much again for all else.
double key_switch_seconds(const Parameters& p, int level) {
    const int limbs = level + p.base_primes;
    const auto special = static_cast<int>(p.special_primes.size());
    const int digits = (limbs + p.digit_primes - 1) / p.digit_primes;
    return 1.4 * transform_seconds(p.log_degree) *
           (digits * (limbs + special) + 2 * special + 2 * limbs);
}

double bits(const std::vector<uint64_t>& primes, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += std::ceil(std::log2(static_cast<double>(primes[i])));
    return sum;
}

// How much larger than those of its operands the errors of sums are bounded to be.
double error_gain(const SparseMatrix& m, bool independent) {
    double largest = 0;
    for (int64_t i = 0; i < m.rows; ++i) {
        double sum = 0;
        for (int64_t e = m.start[i]; e < m.start[i + 1]; ++e) {
            sum += independent ? m.value[e] * m.value[e] : std::abs(m.value[e]);
        }
        largest = std::max(largest, independent ? std::sqrt(sum) : sum);
    }
    return largest;
}

// On the wire, both polynomials or one and a seed.
double ciphertext_bytes(const Parameters& p, int level, int polynomials) {
    const auto limbs = static_cast<size_t>(level + p.base_primes);
    return polynomials * std::exp2(p.log_degree) / 8 * bits(p.data_primes, limbs);
}

double switch_key_bytes(const Parameters& p, int level) {
    const int limbs = level + p.base_primes;
    const int digits = (limbs + p.digit_primes - 1) / p.digit_primes;
    return digits * std::exp2(p.log_degree) / 8 *
           (bits(p.data_primes, static_cast<size_t>(limbs)) +
            bits(p.special_primes, p.special_primes.size()));
}

double row_bytes(const Parameters& p) { return std::exp2(p.log_degree) * 8; }

// Follows values through the network and says what the last levels must hold.
class Planner {
  public:
    Planner(const Network& network, const PlanRequest& request)
        : network_(network), request_(request) {
        if (!(request.input.low <= request.input.high) ||
            !std::isfinite(request.input.magnitude())) {
            throw Error(ErrorCode::kInvalid, "the range of inputs must be finite and not empty");
        }
        plan_.packing = request.packing;
        plan_.input = request.input;
        plan_.inputs = network.inputs;
        plan_.outputs = network.outputs;
        for (const Stage& stage : network.stages) {
            if (stage.has_activation && !stage.activation.is_square()) plan_.bounds_proven = false;
        }
    }

    Plan run() {
        for (int log_slots = 10; log_slots <= 15; ++log_slots) {
            if (request_.packing == Packing::kSingle && !try_layouts(1 << log_slots)) continue;
            follow_values(log_slots + 1);
            if (integer_bits_ > kMostIntegerBits) {
                throw Error(ErrorCode::kUnsupported,
                            "the values of " + network_.name + " may grow to " +
                                std::to_string(integer_bits_) + " bits, at most " +
                                std::to_string(kMostIntegerBits) + " have room",
                            "use fewer squares, smaller weights or a smaller range of inputs");
            }
            plan_.parameters = ckks_parameters({.depth = network_.depth(),
                                                .scale_bits = request_.scale_bits,
                                                .integer_bits = integer_bits_,
                                                .min_slots = 1 << log_slots,
                                                .security = request_.security});
            const int got = plan_.parameters.log_degree - 1;
            if (got == log_slots) break;
            // A larger ring than asked for: more room for layouts, and more noise.
        }
        if (plan_.parameters.log_degree == 0) {
            throw Error(ErrorCode::kUnsupported,
                        "no ring up to N = 65536 has room for the layers of " + network_.name,
                        "use the batch packing, or a smaller network");
        }
        if (request_.packing == Packing::kSingle) {
            finish_single();
        } else {
            finish_batch();
        }
        return std::move(plan_);
    }

  private:
    bool try_layouts(int slots) {
        auto chosen = internal::choose_layouts(network_, slots);
        if (chosen.stages.size() != network_.stages.size()) return false;
        slots_ = std::move(chosen);
        return true;
    }

    // Bounds of every stage, and the bits above the scale that its level must have. Errors are
    // followed roughly: they are bounded by products of bounds, which takes room in deep networks.
    void follow_values(int log_degree) {
        const internal::Noise noise{std::exp2(log_degree)};
        const double rounding = std::exp2(-request_.scale_bits) *
                                (noise.rounded_ciphertext(most_parts()) + noise.error());
        double error = rounding;
        plan_.stages.clear();
        std::vector<std::vector<Interval>> operands = {
            std::vector<Interval>(static_cast<size_t>(network_.inputs), request_.input)};
        int level = network_.depth();
        integer_bits_ = 1;
        for (size_t i = 0; i < network_.stages.size(); ++i) {
            const Stage& stage = network_.stages[i];
            StagePlan step;
            step.name = stage.name;
            step.level = level--;
            std::vector<Interval> sums = propagate(stage, operands);
            for (const Interval& x : sums) {
                step.value_bound = std::max(step.value_bound, x.magnitude());
            }
            step.sum_bound = step.value_bound;
            if (request_.packing == Packing::kSingle) {
                // Squares of what stands between the units must fit as well.
                const auto all =
                    internal::slot_bounds(stage, slots_.operand(i), slots_.stages[i], operands);
                double bias = 0;
                for (double b : stage.bias) bias = std::max(bias, std::abs(b));
                step.value_bound = std::max(step.value_bound, all.final);
                step.sum_bound = std::max(step.value_bound, all.ever) + bias;
            }
            error *= static_cast<double>(stage.pool * stage.pool);
            // Sums are made in units of the interval of a polynomial; folds add up what is rounded.
            const bool fitted = stage.has_activation && !stage.activation.is_square();
            double rounded = rounding * (fitted ? stage.activation.radius : 1.0);
            if (request_.packing == Packing::kSingle) {
                const double folds = static_cast<double>(slots_.stages[i].layout.folds.size());
                rounded *= std::exp2(plan_.bounds_proven ? folds : folds / 2);
            }
            error = error_gain(stage.matrix, !plan_.bounds_proven) * error +
                    rounded * (1 + request_.input.magnitude());
            for (const Skip& skip : stage.skips) {  // not smaller than those before
                error += error_gain(skip.matrix, !plan_.bounds_proven) * error;
            }
            // Folds and biases double the bound before it is known to be smaller.
            need(2 * step.sum_bound + error, level);
            if (stage.has_activation) {
                step.activation = stage.activation.function;
                level -= stage.activation.depth();
                bound_activation(stage.activation, sums, step, level, rounding, error);
                error += rounding;
            }
            plan_.value_bound = step.value_bound;
            operands.push_back(std::move(sums));
            plan_.stages.push_back(std::move(step));
        }
    }

    // Polynomials of ciphertexts that are rescaled: in a batch squares stay of three.
    int most_parts() const {
        const auto squares = [](const Stage& stage) {
            return stage.has_activation && stage.activation.is_square();
        };
        const bool batch = request_.packing == Packing::kBatch;
        return batch && std::any_of(network_.stages.begin(), network_.stages.end(), squares) ? 3
                                                                                             : 2;
    }

    void bound_activation(const PolynomialActivation& activation, std::vector<Interval>& sums,
                          StagePlan& step, int level, double rounding, double& error) {
        if (activation.is_square()) {
            error *= 2 * step.value_bound + error;
            need(step.value_bound * step.value_bound + error, level);
        } else {
            double steepest = activation.slope;  // with regard to x / radius
            double roundings = 0;                // of products, seen in the sum
            for (size_t k = 1; k < activation.chebyshev.size(); ++k) {
                const double c = std::abs(activation.chebyshev[k]);
                if (activation.slope == 0) steepest += c * static_cast<double>(k * k);
                roundings += c * static_cast<double>(2 * k);
            }
            error = steepest / activation.radius * error + roundings * rounding;
            step.value_bound = activation.radius;
            step.activation +=
                " by a polynomial of degree " + std::to_string(activation.chebyshev.size() - 1);
        }
        double largest = 0;
        for (Interval& x : sums) {
            x = apply(activation, x);
            largest = std::max(largest, x.magnitude());
        }
        need(2 * largest + error, level);
    }

    void need(double value, int level) {
        const double above = std::log2(std::max(value, 1.0)) - level * request_.scale_bits;
        integer_bits_ = std::max(integer_bits_, static_cast<int>(std::ceil(above)) + 2);
    }

    void use_rotation(int step, int level, int slots) {
        int& highest = plan_.rotations[step % slots];
        highest = std::max(highest, level);
    }

    void finish_single() {
        const Parameters& p = plan_.parameters;
        const int slots = 1 << (p.log_degree - 1);
        const auto special = static_cast<double>(p.special_primes.size());
        double memory = 0;
        for (size_t i = 0; i < plan_.stages.size(); ++i) {
            StagePlan& step = plan_.stages[i];
            const internal::SlotStage& chosen = slots_.stages[i];
            for (int r : chosen.steps.rotations) use_rotation(r, step.level, slots);
            for (int r : chosen.layout.pools) use_rotation(r, step.level, slots);
            for (int r : chosen.layout.folds) use_rotation(r, step.level - 1, slots);
            for (const internal::SlotStage::SkipStep& skip : chosen.skips) {
                for (int r : skip.steps.rotations) use_rotation(r, step.level, slots);
                step.rotations += skip.steps.babies + skip.steps.giants;
                memory += static_cast<double>(skip.diagonals) * row_bytes(p) *
                          (step.level + p.base_primes + special);
            }
            const auto folds = static_cast<int>(chosen.layout.folds.size());
            const auto pools = static_cast<int>(chosen.layout.pools.size());
            step.rotations += chosen.steps.babies + chosen.steps.giants + folds + pools;
            const bool grid = chosen.layout.kind == internal::StageLayout::Kind::kGrid;
            step.method = std::string(grid ? "grid" : "dense") + ", " +
                          std::to_string(chosen.layout.diagonals.size()) + " diagonals" +
                          (folds > 0 ? ", " + std::to_string(folds) + " folds" : "") +
                          (chosen.skips.empty() ? "" : ", shortcut");
            step.seconds = kSingleShare * (chosen.cost * key_switch_seconds(p, step.level) +
                                           activation_seconds(network_.stages[i], step.level - 1));
            memory += static_cast<double>(chosen.layout.diagonals.size()) * row_bytes(p) *
                      (step.level + p.base_primes + special);
            plan_.seconds += step.seconds;
        }
        finish_sizes(memory);
        plan_.slots = std::make_shared<internal::SlotPlan>(std::move(slots_));
    }

    static int products(const PolynomialActivation& activation) {
        if (activation.is_square()) return 1;
        const auto degree = static_cast<double>(activation.chebyshev.size() - 1);
        return static_cast<int>(std::ceil(2 * std::sqrt(degree) + std::log2(degree)));
    }

    double activation_seconds(const Stage& stage, int level) const {
        if (!stage.has_activation) return 0;
        return 1.2 * products(stage.activation) * key_switch_seconds(plan_.parameters, level);
    }

    // One ciphertext for each unit: scalar products, no rotations.
    void finish_batch() {
        const Parameters& p = plan_.parameters;
        const int degree = 1 << p.log_degree;
        plan_.examples = degree / 2;
        plan_.ciphertexts_up = network_.inputs;
        plan_.ciphertexts_down = network_.outputs;
        double largest = static_cast<double>(network_.inputs) * 2 * row_bytes(p) *
                         (plan_.stages[0].level + p.base_primes);
        for (size_t i = 0; i < plan_.stages.size(); ++i) {
            StagePlan& step = plan_.stages[i];
            const Stage& stage = network_.stages[i];
            const int limbs = step.level + p.base_primes;
            int64_t products = stage.matrix.entries();
            for (const Skip& skip : stage.skips) products += skip.matrix.entries();
            const auto entries = static_cast<double>(products);
            step.method = std::to_string(products) + " scalar products";
            step.seconds =
                entries * 2 * limbs * degree * 0.12e-9 +
                static_cast<double>(stage.matrix.rows) * activation_seconds(stage, step.level - 1);
            plan_.seconds += step.seconds;
            largest =
                std::max(largest, static_cast<double>(stage.matrix.columns + stage.matrix.rows) *
                                      2 * row_bytes(p) * limbs);
        }
        finish_sizes(largest);
    }

    void finish_sizes(double memory) {
        const Parameters& p = plan_.parameters;
        const int top = plan_.stages.front().level;
        double keys = switch_key_bytes(p, top), key_memory = 2 * keys;
        for (const auto& [step, level] : plan_.rotations) {
            keys += switch_key_bytes(p, level);
            key_memory += 2 * switch_key_bytes(p, level);
        }
        plan_.upload_bytes = static_cast<int64_t>(static_cast<double>(plan_.ciphertexts_up) *
                                                  ciphertext_bytes(p, top, 1));
        plan_.download_bytes = static_cast<int64_t>(static_cast<double>(plan_.ciphertexts_down) *
                                                    ciphertext_bytes(p, 0, 2));
        plan_.key_bytes = static_cast<int64_t>(keys);
        // Residues take 64 bits in memory where the wire takes as many as the prime has.
        plan_.memory_bytes = static_cast<int64_t>(memory + key_memory * 64 / 44);
    }

    const Network& network_;
    const PlanRequest& request_;
    Plan plan_;
    internal::SlotPlan slots_;
    int integer_bits_ = 1;
};

std::string bytes_text(int64_t bytes) {
    char text[32];
    const double mega = static_cast<double>(bytes) / 1e6;
    std::snprintf(text, sizeof(text), mega < 10 ? "%.2f MB" : "%.0f MB", mega);
    return text;
}

std::string number(const char* format, double value) {
    char text[48];
    std::snprintf(text, sizeof(text), format, value);
    return text;
}

}  // namespace

Plan plan(const Network& network, const PlanRequest& request) {
    return Planner(network, request).run();
}

std::string to_text(const Plan& p) {
    std::string out;
    const auto line = [&out](const std::string& what, const std::string& value) {
        out += what + std::string(what.size() < 14 ? 14 - what.size() : 1, ' ') + value + "\n";
    };
    line("packing", p.packing == Packing::kSingle
                        ? "one example in one ciphertext"
                        : std::to_string(p.examples) + " examples at once, a ciphertext per unit");
    line("parameters",
         "CKKS, N = " + std::to_string(1 << p.parameters.log_degree) + ", " +
             std::to_string(static_cast<int>(std::ceil(modulus_bits(p.parameters)))) + " of " +
             std::to_string(max_modulus_bits(p.parameters.log_degree, p.parameters.security)) +
             " bits at " + std::to_string(static_cast<int>(p.parameters.security)) +
             "-bit security, scale 2^" + std::to_string(p.parameters.scale_bits));
    for (const StagePlan& s : p.stages) {
        line("layer", s.name + " at level " + std::to_string(s.level) + ": " + s.method + ", " +
                          std::to_string(s.rotations) + " rotations" +
                          (s.activation.empty() ? "" : ", then " + s.activation) +
                          number("; values up to %.3g", s.value_bound) +
                          number(", about %.3f s", s.seconds));
    }
    line("keys", "relinearisation and " + std::to_string(p.rotations.size()) + " rotations, " +
                     bytes_text(p.key_bytes) + ", sent once");
    line("up, down", bytes_text(p.upload_bytes) + ", " + bytes_text(p.download_bytes));
    line("memory", bytes_text(p.memory_bytes));
    line("time", number("about %.3f s on one core", p.seconds));
    line("bounds",
         p.bounds_proven
             ? "proven for inputs in " + number("[%.4g, ", p.input.low) +
                   number("%.4g]", p.input.high)
             : "as the calibration examples show, with the margin, and for errors that are "
               "independent; not proven");
    line("revealed",
         "to the evaluator: this plan (layers, shapes, ranges); to the key's owner: the "
         "outputs and the bounds of values");
    return out;
}

}  // namespace ward::he
