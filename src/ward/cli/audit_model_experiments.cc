// Experiments of an audit that take something out of the model: a copy, and what its classes look
// like.
#include <algorithm>

#include "ward/attack/extraction.h"
#include "ward/attack/inversion.h"
#include "ward/cli/internal/audit.h"
#include "ward/cli/internal/inversion_judge.h"
#include "ward/cli/internal/pictures.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"
#include "ward/train/recipes.h"

namespace ward::cli {
namespace {

// 1, 3, 10, 30 and 100 % of the budget, and no copy of fewer than ten answers.
std::vector<int64_t> budgets(int64_t queries) {
    std::vector<int64_t> curve;
    for (const int64_t percent : {1, 3, 10, 30, 100}) {
        const int64_t budget = queries * percent / 100;
        if (budget >= 10 && (curve.empty() || budget > curve.back())) curve.push_back(budget);
    }
    if (curve.empty()) curve.push_back(queries);
    return curve;
}

}  // namespace

// The pool is the training part: the most that an attacker's inputs could be like it.
audit::ExperimentResult AuditSubject::extraction(const audit::ExperimentSpec& spec) const {
    const AttackTargetOptions options = target_options(spec.count);
    const AttackTarget loaded = load_attack_target(options);
    const AttackInputs pool = load_attack_inputs(options, loaded, options.data.data, "train");
    attack::ExtractionOptions extraction;
    extraction.attack = spec.attack;
    extraction.queries = std::min<int64_t>(spec.queries, pool.x.size(0));
    extraction.answer = spec.answer == "labels" ? attack::Answer::kLabels : attack::Answer::kScores;
    extraction.curve = budgets(extraction.queries);
    extraction.surrogate =
        train::spec_for(loaded.part, loaded.part.example_shape.size() == 3 ? "cnn" : "mlp",
                        train::default_recipe(loaded.part, std::nullopt));
    extraction.prepare = [&loaded](const at::Tensor& x) {
        return standardised(x, loaded.mean, loaded.std);
    };
    extraction.lower = loaded.lower;
    extraction.upper = loaded.upper;
    const attack::ExtractionResult found =
        attack::extract(*loaded.target, {pool.x, pool.y}, loaded.x, loaded.y, extraction);
    if (!found.partial.empty()) throw Error(ErrorCode::kInvalid, found.partial);
    audit::ExperimentResult result;
    result.clean_accuracy = found.model_accuracy;
    result.constant_fidelity = found.majority_share;
    result.flags = found.flags;
    for (const attack::CopyPoint& point : found.curve) {
        result.copies.push_back({point.queries,
                                 point.fidelity,
                                 {point.fidelity_interval.low, point.fidelity_interval.high},
                                 point.accuracy});
    }
    result.rerun = "ward attack extraction --attack " + spec.attack + " --answer " + spec.answer +
                   " --queries " + std::to_string(extraction.queries) + " --count " +
                   std::to_string(spec.count) + data_flags() + " --json";
    return result;
}

audit::ExperimentResult AuditSubject::inversion(const audit::ExperimentSpec& spec) const {
    if (members_.example_shape.size() != 3 || members_.tokens)
        throw Error(ErrorCode::kUnsupported, "inversion shows pictures: it needs images");
    const AttackTargetOptions options = target_options(0);
    const AttackTarget loaded = load_attack_target(options);
    const AttackInputs originals = load_attack_inputs(options, loaded, options.data.data, "train");
    const InversionJudge judge = make_inversion_judge(loaded, members_, "", options.identities);
    attack::InversionOptions inversion;
    inversion.attack = spec.attack;
    inversion.steps = spec.steps;
    inversion.lower = loaded.lower;
    inversion.upper = loaded.upper;
    std::vector<int64_t> classes;
    for (int64_t c = 0; c < loaded.classes; ++c) classes.push_back(c);
    audit::ExperimentResult result;
    result.clean_accuracy =
        (loaded.target->labels(loaded.x) == loaded.y).to(at::kDouble).mean().item<double>();
    result.judge = judge.description;
    result.judge_accuracy = judge.accuracy;
    for (attack::InvertedClass& one :
         attack::invert_classes(*loaded.target, loaded.part.example_shape, classes, inversion)) {
        const JudgedInversion found =
            judge_inversion(std::move(one), judge, originals, loaded.upper - loaded.lower);
        if (!found.mean.defined()) continue;  // a class without examples
        const auto picture = [&](const at::Tensor& x) {
            return picture_of(x, loaded.lower, loaded.upper, "");
        };
        result.inverted.push_back({members_.class_names[found.inverted.label],
                                   found.inverted.confidence, members_.class_names[found.judged],
                                   found.judge_confidence, found.psnr_mean, found.ssim_mean,
                                   picture(found.mean), picture(found.inverted.x)});
    }
    result.rerun = "ward attack inversion --attack " + spec.attack +
                   (spec.steps > 0 ? " --steps " + std::to_string(spec.steps) : "") + data_flags() +
                   " --json";
    return result;
}

}  // namespace ward::cli
