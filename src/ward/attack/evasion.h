// Evasion: inputs near given ones that the model takes for another class.
//
//   Target target(script_module);
//   EvasionOptions options{.norm = Norm::kLinf, .epsilon = 0.3, .steps = 40};
//   EvasionResult result = evade(target, *make_attack("pgd", options), {x, y}, options);
//
// The attacks stand in files of their own, which name paper, threat model and what a step costs.
// What an attack hands back is not believed: `evade` passes all of it through the model once more,
// in one canonical pass, and counts as fooled only what changes the decision, lies in the box and
// lies in the ball.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ward/attack/norm.h"
#include "ward/attack/target.h"

namespace ward::attack {

struct TableRules;

// Ways an input may move.
enum class Move : int8_t { kFree, kUp, kDown, kNot };

struct EvasionOptions {
    Norm norm = Norm::kLinf;
    double epsilon = 0;    // radius of the ball; attacks of least norm: what counts as fooled
    int64_t steps = 0;     // 0: the attack's own; for black-box attacks: queries per example
    double step_size = 0;  // 0: the attack's own
    int64_t restarts = 0;  // 0: the attack's own; a restart sees only what is still robust
    int64_t eot = 1;       // gradients averaged per step, for targets that draw at random
    double momentum = 0;   // decay factor of mi-fgsm
    bool random_start = false;
    double lower = 0, upper = 1;  // the box of valid inputs
    uint64_t seed = 0;            // of starts and proposals; not secret
    // Examples attacked together; 0: as many as 256 MB hold, with a state 200. Random starts and
    // proposals of an example depend on its place in its batch.
    int64_t batch = 0;
    // Go through all steps although the model is fooled before, and hand back the last point: one
    // that is just over the boundary of this model does not fool others. Known to pgd, mi-fgsm,
    // ni-fgsm, di-fgsm and ti-fgsm, which then make one run only.
    bool all_steps = false;
    // What the attacker can do to each input: tables with columns that cannot change or only grow.
    // Empty: everything. Attacks that do not know of it may find points that then do not count.
    std::vector<Move> moves;
    // What rows of a table can be (table_rules.h); null: everything. Points are moved to the
    // nearest row before they are judged, and the ball is that of the numbers.
    std::shared_ptr<const TableRules> table;
    bool rounds_to_8bit = true;  // false: no figure for inputs rounded to 256 levels

    // File that keeps what was found (evasion_state.h): a run that was killed goes on with the same
    // call, and ends with the same bits. Empty: none.
    std::string state;
    std::string target_mark;     // what the target is; a state of another one is refused
    std::function<bool()> stop;  // asked before each batch but the first; true: the end, partial
};

// Examples {n, ...} float32 and their classes {n} int64, on the CPU. Where `wanted` {n} is defined
// the attack is targeted: it succeeds when the model says the wanted class.
struct Points {
    at::Tensor x, y, wanted;

    bool targeted() const { return wanted.defined(); }
    int64_t size() const { return x.size(0); }
    // {n} bool: whether these logits (or labels) are what the attacker wants.
    at::Tensor fooled(const at::Tensor& logits) const;
    at::Tensor fooled_by_labels(const at::Tensor& labels) const;
    Points select(const at::Tensor& rows) const;  // int64 {k}
};

class Attack {
  public:
    virtual ~Attack() = default;

    virtual std::string_view name() const = 0;
    virtual Access needs() const { return Access::kWhiteBox; }

    // True for attacks that look for the nearest point: one beyond epsilon is a result, no fault.
    virtual bool minimises_norm() const { return false; }

    // One input for each of the points, which the model gets right (targeted: does not yet take for
    // the wanted class). Where the attack fails it may hand back anything. The result for one seed
    // is the same on every run.
    virtual at::Tensor perturb(Target& target, const Points& points) = 0;

    // What the attack has seen that makes its figures doubtful, in words.
    virtual std::vector<std::string> flags() const { return {}; }

    // What flags() rests on, as text, for a run that goes on in another process. All else that an
    // attack knows depends on its options and one call alone.
    virtual std::string memory() const { return {}; }
    virtual void remember(const std::string& memory) { static_cast<void>(memory); }
};

// "fgsm", "pgd", "mi-fgsm", "apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square",
// "fmn", "boundary", "autoattack", "autoattack-plus", "autoattack-rand", ... Throws Error kUsage
// for other names and for options that do not fit.
std::unique_ptr<Attack> make_attack(std::string_view name, const EvasionOptions& options);
std::vector<std::string> attack_names();

// Which of steps, step_size, restarts, eot, momentum and random_start change what an attack does;
// make_attack refuses others that are set. Throws Error kUsage for unknown names.
std::vector<std::string> attack_options(std::string_view name, Norm norm);

struct EvasionResult {
    at::Tensor adversarial;    // {n, ...}: the found input, or the original where none was found
    at::Tensor allowed;        // what the attack handed back, whatever the model says of it, where
                               // it lies in box and ball; else the original
    std::vector<bool> clean;   // right without an attack
    std::vector<bool> robust;  // right without an attack, and not fooled by it
    double clean_accuracy = 0;
    double robust_accuracy = 0;
    // When inputs are rounded to 256 levels of the box (inside the ball); NaN where the target died
    // before, and where inputs cannot all move (rounding would move them).
    double robust_accuracy_8bit = 0;
    // Of the perturbations that fooled; NaN where none did.
    double mean_norm = std::numeric_limits<double>::quiet_NaN();
    double median_norm = std::numeric_limits<double>::quiet_NaN();
    double cpu_seconds = 0;  // of the attack, without the canonical passes
    double forward_per_example = 0, backward_per_example = 0;  // of the attack, over all n
    // Why the target ended the run; all figures are then of the examples before, of which `clean`
    // and `robust` have one each. Empty: it did not.
    std::string partial;
    int64_t resumed = 0;   // examples that the state held
    int64_t rejected = 0;  // claimed by the attack, but out of the ball or the box
    std::vector<std::string> flags;
};

// Throws Error kInvalid for points that do not fit, kUsage for options out of range, kRefused when
// the target does not give what the attack needs, and what EvasionState throws. A target that fails
// after the first batch of examples makes the result partial.
EvasionResult evade(Target& target, Attack& attack, const Points& points,
                    const EvasionOptions& options);

// What examples made on one model do to another one, of the same inputs and classes.
struct TransferResult {
    double clean_accuracy = 0, robust_accuracy = 0;  // of the other model, over all examples
    int64_t right_on_both = 0;                       // without an attack
    int64_t fooled = 0;                              // of these, the other model, by the transfer
    double success() const { return right_on_both == 0 ? 0 : double(fooled) / right_on_both; }
};

// Of all that is `allowed` in a result on `points`, in one canonical pass through `other`.
TransferResult transfer_to(Target& other, const Points& points, const EvasionResult& result);

// Norm of each row of a difference, {n} float64.
at::Tensor row_norms(const at::Tensor& difference, Norm norm);

}  // namespace ward::attack
