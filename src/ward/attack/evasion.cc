#include "ward/attack/evasion.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <string>

#include "ward/attack/evasion_state.h"
#include "ward/attack/internal/row_kernels.h"
#include "ward/attack/table_rules.h"
#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kBatchFloats = int64_t{1} << 23;
constexpr int64_t kStateBatch = 200;  // lost at most when a run is killed
constexpr double kNormSlack = 1e-5;   // relative; rounding of float32 at the edge of the ball

double cpu_now() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

int64_t batch_size(const EvasionOptions& options, const at::Tensor& x) {
    if (options.batch > 0) return options.batch;
    if (!options.state.empty()) return kStateBatch;
    const int64_t example = std::max<int64_t>(1, x[0].numel());
    return std::clamp<int64_t>(kBatchFloats / example, 32, 10000);
}

void check_options(const EvasionOptions& options) {
    const auto fail = [](const std::string& message) { throw Error(ErrorCode::kUsage, message); };
    if (!(options.epsilon >= 0))
        fail("epsilon must be >= 0, got " + std::to_string(options.epsilon));
    if (!(options.lower < options.upper)) fail("the box of inputs must not be empty");
    if (options.steps < 0 || options.restarts < 0 || options.eot < 1 || options.batch < 0 ||
        !(options.step_size >= 0))
        fail("steps, restarts, batch and step size must be >= 0, eot > 0");
}

void check_points(const Points& points, const EvasionOptions& options) {
    const auto fail = [](const std::string& message, const std::string& hint) {
        throw Error(ErrorCode::kInvalid, message, hint);
    };
    if (!points.x.defined() || points.x.dim() < 2 || points.x.size(0) == 0)
        fail("there are no examples to attack", "give at least one");
    if (points.y.dim() != 1 || points.y.size(0) != points.x.size(0))
        fail("there must be one label for each example", "check the data set");
    if (!options.moves.empty() && static_cast<int64_t>(options.moves.size()) != points.x[0].numel())
        fail("there must be one move for each input", "give none to allow all");
    if (options.table && (points.x.dim() != 2 || points.x.size(1) != options.table->inputs))
        fail("the rules of a table are of other inputs", "take those of the model's own schema");
    const double low = points.x.min().item<double>(), high = points.x.max().item<double>();
    if (!(low >= options.lower - 1e-6 && high <= options.upper + 1e-6)) {
        fail("inputs must lie in the box [" + std::to_string(options.lower) + ", " +
                 std::to_string(options.upper) + "], got " + std::to_string(low) + " to " +
                 std::to_string(high),
             "give the box of valid inputs, or inputs before standardisation");
    }
}

void check_labels(const at::Tensor& y, int64_t classes) {
    const int64_t low = y.min().item<int64_t>(), high = y.max().item<int64_t>();
    if (low >= 0 && high < classes) return;
    throw Error(ErrorCode::kInvalid,
                "labels must lie in 0.." + std::to_string(classes - 1) + " for this model, got " +
                    std::to_string(low) + ".." + std::to_string(high),
                "the data set and the model do not belong together");
}

// {n} bool: rows that moved only as the attacker may.
at::Tensor allowed_moves(const at::Tensor& difference, const EvasionOptions& options) {
    const at::Tensor flat = difference.flatten(1);
    at::Tensor allowed = torch::ones({flat.size(0)}, at::kBool);
    const double slack = 1e-6 * (options.upper - options.lower);
    for (size_t j = 0; j < options.moves.size(); ++j) {
        if (options.moves[j] == Move::kFree) continue;
        const at::Tensor d = flat.select(1, static_cast<int64_t>(j));
        if (options.moves[j] != Move::kUp) allowed &= d <= slack;
        if (options.moves[j] != Move::kDown) allowed &= d >= -slack;
    }
    return allowed;
}

at::Tensor round_8bit(const at::Tensor& x, const EvasionOptions& options) {
    const double step = (options.upper - options.lower) / 255;
    return ((x - options.lower) / step).round() * step + options.lower;
}

// Rounds towards the original where rounding to nearest would leave the ball.
at::Tensor quantise(const at::Tensor& adversarial, const at::Tensor& x,
                    const EvasionOptions& options) {
    const double step = (options.upper - options.lower) / 255;
    const at::Tensor nearest = round_8bit(adversarial, options);
    if (options.norm != Norm::kLinf || !std::isfinite(options.epsilon)) return nearest;
    const at::Tensor over = (nearest - x).abs() > options.epsilon * (1 + kNormSlack);
    return at::where(over, nearest - (nearest - x).sign() * step, nearest);
}

std::vector<bool> to_bits(const at::Tensor& mask) {
    const at::Tensor bits = mask.to(at::kBool).contiguous();
    const bool* first = bits.data_ptr<bool>();
    return std::vector<bool>(first, first + bits.numel());
}

struct Found {
    at::Tensor x;  // of the first examples, all of them unless `partial` says why not
    std::string partial;
    PassCounts counts;
    double cpu_seconds = 0;
    int64_t resumed = 0;
};

// The batches of a run, those that a state holds first.
class Batches {
  public:
    Batches(Target& target, Attack& attack, const Points& points, const EvasionOptions& options)
        : target_(target), attack_(attack), points_(points), options_(options) {
        if (options.state.empty()) return;
        state_ = std::make_unique<EvasionState>(options.state,
                                                evasion_run_digest(attack, points, options));
        for (const EvasionState::Batch& batch : state_->batches()) {
            if (!batch.found.sizes().slice(1).equals(points.x.sizes().slice(1)))
                throw Error(ErrorCode::kCorrupt, options.state + " holds points of another shape");
            take(batch);
        }
        if (done_ > points.size())
            throw Error(ErrorCode::kCorrupt, options.state + " holds too many points");
        if (parts_.empty()) return;
        attack_.remember(state_->batches().back().memory);
        found_.resumed = done_;
    }

    Found run() {
        Progress progress(std::string(attack_.name()), points_.size(), "examples");
        const int64_t n = points_.size(), size = batch_size(options_, points_.x);
        while (done_ < n && found_.partial.empty()) {
            if (!parts_.empty() && options_.stop && options_.stop()) {
                found_.partial = "stopped";
                break;
            }
            try {
                next(torch::arange(done_, std::min(n, done_ + size)));
            } catch (const Error& error) {
                if (parts_.empty() || error.code() == ErrorCode::kInternal) throw;
                found_.partial = error.message();
            }
            progress.update(done_);
        }
        progress.finish();
        found_.x = at::cat(parts_);
        return std::move(found_);
    }

  private:
    void next(const at::Tensor& rows) {
        const PassCounts before = target_.counts();
        const double start = cpu_now();
        EvasionState::Batch batch;
        batch.found = attack_.perturb(target_, points_.select(rows));
        batch.cpu_seconds = cpu_now() - start;
        batch.counts = {target_.counts().forward - before.forward,
                        target_.counts().backward - before.backward};
        batch.memory = attack_.memory();
        if (state_) state_->add(batch);
        take(batch);
    }

    void take(const EvasionState::Batch& batch) {
        parts_.push_back(batch.found);
        done_ += batch.found.size(0);
        found_.counts.forward += batch.counts.forward;
        found_.counts.backward += batch.counts.backward;
        found_.cpu_seconds += batch.cpu_seconds;
    }

    Target& target_;
    Attack& attack_;
    const Points& points_;
    const EvasionOptions& options_;
    std::unique_ptr<EvasionState> state_;
    std::vector<at::Tensor> parts_;
    int64_t done_ = 0;
    Found found_;
};

// The found inputs that hold in one canonical pass.
struct Verdict {
    at::Tensor fooled, rejected;  // {n} bool
    at::Tensor allowed;           // {n} bool: whatever the model says
    at::Tensor fooled_8bit;       // {n} bool, undefined where not asked for
};

Verdict judge(Target& target, const Attack& attack, const Points& points, const at::Tensor& found,
              const EvasionOptions& options, bool with_8bit) {
    const double slack = 1e-6 * (options.upper - options.lower);
    const at::Tensor counted =
        options.table ? of_numbers(*options.table, found - points.x) : found - points.x;
    const at::Tensor inside =
        row_norms(counted, options.norm) <= options.epsilon * (1 + kNormSlack) + slack;
    const at::Tensor valid =
        ((found >= options.lower - slack) & (found <= options.upper + slack)).flatten(1).all(1);
    at::Tensor able = allowed_moves(found - points.x, options);
    if (options.table) able = able & are_rows(*options.table, points.x, found);
    const at::Tensor said = points.fooled_by_labels(target.labels(found));
    const at::Tensor faulty = ~able | (attack.minimises_norm() ? ~valid : ~(inside & valid));
    const at::Tensor allowed = inside & valid & able, good = said & allowed;
    if (!with_8bit) return {good, said & faulty, allowed, at::Tensor()};
    const at::Tensor rounded = quantise(found, points.x, options);
    const at::Tensor rounded_inside =
        row_norms(rounded - points.x, options.norm) <= options.epsilon * (1 + kNormSlack) + slack;
    return {good, said & faulty, allowed,
            points.fooled_by_labels(target.labels(rounded)) & rounded_inside &
                allowed_moves(rounded - points.x, options)};
}

// Writes what holds into the result; returns the norms of the perturbations that fooled.
at::Tensor take_over(const Verdict& verdict, const Points& attacked, const at::Tensor& found,
                     const at::Tensor& rows, const at::Tensor& right, const EvasionOptions& options,
                     EvasionResult& result) {
    const at::Tensor hit = verdict.fooled.nonzero().flatten();
    const at::Tensor legal = verdict.allowed.nonzero().flatten();
    result.allowed = result.adversarial.clone();
    result.allowed.index_copy_(0, rows.index_select(0, legal), found.index_select(0, legal));
    result.adversarial.index_copy_(0, rows.index_select(0, hit), found.index_select(0, hit));
    result.clean = to_bits(right);
    result.robust = to_bits(right.index_fill(0, rows.index_select(0, hit), false));
    result.rejected = verdict.rejected.sum().item<int64_t>();
    result.robust_accuracy_8bit =
        verdict.fooled_8bit.defined()
            ? static_cast<double>(rows.numel() - verdict.fooled_8bit.sum().item<int64_t>()) /
                  static_cast<double>(right.numel())
            : std::numeric_limits<double>::quiet_NaN();
    const at::Tensor moved = (found - attacked.x).index_select(0, hit);
    return row_norms(options.table ? of_numbers(*options.table, moved) : moved, options.norm);
}

void summarise(EvasionResult& result, const at::Tensor& norms) {
    const auto share = [](const std::vector<bool>& bits) {
        return static_cast<double>(std::count(bits.begin(), bits.end(), true)) /
               static_cast<double>(bits.size());
    };
    result.clean_accuracy = share(result.clean);
    result.robust_accuracy = share(result.robust);
    if (norms.numel() == 0) return;
    result.mean_norm = norms.mean().item<double>();
    result.median_norm = norms.median().item<double>();
}

}  // namespace

Norm parse_norm(std::string_view name) {
    if (name == "linf") return Norm::kLinf;
    if (name == "l2") return Norm::kL2;
    if (name == "l1") return Norm::kL1;
    throw Error(ErrorCode::kUsage, "norm must be linf, l2 or l1, got " + std::string(name));
}

const char* norm_name(Norm norm) {
    if (norm == Norm::kLinf) return "linf";
    return norm == Norm::kL2 ? "l2" : "l1";
}

at::Tensor Points::fooled_by_labels(const at::Tensor& labels) const {
    return targeted() ? labels == wanted : labels != y;
}

at::Tensor Points::fooled(const at::Tensor& logits) const {
    return fooled_by_labels(logits.argmax(1));
}

Points Points::select(const at::Tensor& rows) const {
    return {x.index_select(0, rows), y.index_select(0, rows),
            targeted() ? wanted.index_select(0, rows) : at::Tensor()};
}

at::Tensor row_norms(const at::Tensor& difference, Norm norm) {
    const at::Tensor flat = difference.to(at::kFloat).contiguous().flatten(1);
    at::Tensor norms = torch::empty({flat.size(0)}, at::kDouble);
    for (int64_t i = 0; i < flat.size(0); ++i) {
        norms.data_ptr<double>()[i] =
            row_norm(flat.data_ptr<float>() + i * flat.size(1), flat.size(1), norm);
    }
    return norms;
}

EvasionResult evade(Target& target, Attack& attack, const Points& points,
                    const EvasionOptions& options) {
    check_options(options);
    check_points(points, options);
    if (target.access() < attack.needs()) {
        throw Error(ErrorCode::kRefused,
                    std::string(attack.name()) + " needs more of the target than it gives",
                    "choose an attack that needs less: square (scores), hopskipjump (labels)");
    }
    EvasionResult result;
    const at::Tensor labels = target.labels(points.x);
    if (target.access() > Access::kLabels)
        check_labels(points.y, target.logits(points.x.narrow(0, 0, 1)).size(1));
    at::Tensor right = labels == points.y;
    at::Tensor rows = right.nonzero().flatten();
    result.adversarial = points.x.clone();
    at::Tensor norms = torch::empty({0}, at::kDouble);
    int64_t examples = points.size();
    if (rows.numel() > 0) {
        Points attacked = points.select(rows);
        target.reset_counts();
        Found found = Batches(target, attack, attacked, options).run();
        result.cpu_seconds = found.cpu_seconds;
        result.resumed = found.resumed;
        if (!found.partial.empty()) {
            result.partial = found.partial;
            examples = rows[found.x.size(0)].item<int64_t>();
            rows = rows.narrow(0, 0, found.x.size(0));
            right = right.narrow(0, 0, examples);
            attacked = points.select(rows);
            result.adversarial = result.adversarial.narrow(0, 0, examples);
        }
        if (options.table) found.x = nearest_rows(*options.table, attacked.x, found.x, options);
        const auto n = static_cast<double>(examples);
        result.forward_per_example = static_cast<double>(found.counts.forward) / n;
        result.backward_per_example = static_cast<double>(found.counts.backward) / n;
        const Verdict verdict = judge(target, attack, attacked, found.x, options,
                                      result.partial.empty() && options.moves.empty() &&
                                          !options.table && options.rounds_to_8bit);
        norms = take_over(verdict, attacked, found.x, rows, right, options, result);
    }
    if (rows.numel() == 0) {
        result.clean = result.robust = to_bits(right);
        result.allowed = result.adversarial.clone();
    }
    summarise(result, norms);
    result.flags = attack.flags();
    return result;
}

TransferResult transfer_to(Target& other, const Points& points, const EvasionResult& result) {
    const int64_t n = result.allowed.size(0);
    const Points same = points.select(torch::arange(n));
    const at::Tensor right = other.labels(same.x) == same.y;
    const at::Tensor fooled = same.fooled_by_labels(other.labels(result.allowed)) & right;
    at::Tensor both = right.clone();
    for (int64_t i = 0; i < n; ++i)
        if (!result.clean[static_cast<size_t>(i)]) both[i] = false;
    TransferResult transfer;
    transfer.clean_accuracy = right.to(at::kDouble).mean().item<double>();
    transfer.robust_accuracy = (right & ~fooled).to(at::kDouble).mean().item<double>();
    transfer.right_on_both = both.sum().item<int64_t>();
    transfer.fooled = (fooled & both).sum().item<int64_t>();
    return transfer;
}

}  // namespace ward::attack
