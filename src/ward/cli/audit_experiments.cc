#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "ward/attack/canary_run.h"
#include "ward/attack/evasion.h"
#include "ward/attack/membership_run.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/audit.h"
#include "ward/cli/internal/local_digest.h"
#include "ward/cli/internal/model_file.h"
#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/log.h"
#include "ward/dp/plan.h"
#include "ward/nn/torch.h"

namespace ward::cli {
namespace {

constexpr size_t kMostPoints = 300;  // of a curve in a report

data::Dataset load_part(const DataOptions& options, const model::Model& model,
                        const std::string& split) {
    data::LoadRequest request = to_request(options, split);
    request.preprocessing_json = model.card.preprocessing_json;
    const data::LoadedData loaded = load_fitting(model, request);
    if (loaded.dataset.labels.empty()) {
        throw Error(ErrorCode::kInvalid,
                    "the " + split + " part of " + options.data + " has no labels",
                    "give the labelled data that the model was trained on");
    }
    return loaded.dataset;
}

nlohmann::json privacy_of(const model::Model& model) {
    return nlohmann::json::parse(model.card.privacy_json, nullptr, false);
}

std::optional<dp::PrivacyPlan> plan_of(const model::Model& model) {
    const nlohmann::json privacy = privacy_of(model);
    if (!privacy.is_object() || !privacy.contains("plan") || privacy["plan"].is_null())
        return std::nullopt;
    return dp::PrivacyPlan::from_json(
        privacy["plan"].is_string() ? privacy["plan"].get<std::string>() : privacy["plan"].dump());
}

audit::Interval plain(const attack::Interval& interval) { return {interval.low, interval.high}; }

// `claims`: rates of attacks that are judged together; both ends of each get their share of 5 %.
audit::MembershipCurve curve_of(const attack::AttackedMembership& attacked, size_t claims) {
    const attack::Roc& roc = attacked.roc;
    audit::MembershipCurve curve;
    curve.attack = attacked.attack;
    curve.auc = roc.auc;
    curve.auc_interval = plain(roc.auc_interval);
    for (const attack::RateAt& at : roc.at) {
        const attack::SureRate sure =
            attack::sure_rate(roc, at, 1 - 0.05 / (2 * static_cast<double>(claims)));
        curve.rates.push_back({at.wanted, at.true_positive_rate, plain(at.exact),
                               at.false_positive_rate, sure.false_positive_at_most,
                               sure.true_positive_at_least, plain(at.at_wanted), at.resolved});
    }
    // Evenly spread over the powers of ten, with both ends.
    double next = 0;
    for (size_t i = 0; i < roc.points.size(); ++i) {
        const attack::RocPoint& point = roc.points[i];
        if (point.false_positive_rate < next && i + 1 < roc.points.size()) continue;
        curve.x.push_back(point.false_positive_rate);
        curve.y.push_back(point.true_positive_rate);
        next = std::max(1.0 / static_cast<double>(roc.others), point.false_positive_rate) *
               std::pow(10.0, 4.0 / static_cast<double>(kMostPoints));
    }
    return curve;
}

// The curve of the claimed mechanism, and that of guesses about the canaries: at each threshold the
// share of canaries left out that look inserted, and of those inserted.
void add_trade_off(const attack::AuditGame& game, const attack::AuditClaim& claim,
                   audit::AuditedEpsilon& audited) {
    const attack::TradeOff curve = attack::TradeOff::of_mechanism(claim.phase);
    constexpr int kSteps = 100;
    for (int i = 0; i <= kSteps; ++i) {
        const double rate = static_cast<double>(i) / kSteps;
        audited.curve_x.push_back(rate);
        audited.curve_y.push_back(curve.most_true_positives(rate));
    }
    if (std::set<uint8_t>(game.inserted.begin(), game.inserted.end()).size() < 2) return;
    attack::RocOptions plain;
    plain.resamples = 1;
    const attack::Roc roc = attack::roc_of(game.scores, game.inserted, plain);
    for (const attack::RocPoint& point : roc.points) {
        const bool far = audited.guess_x.empty() ||
                         point.false_positive_rate - audited.guess_x.back() >= 1.0 / kSteps ||
                         point.true_positive_rate - audited.guess_y.back() >= 1.0 / kSteps;
        if (!far && point.false_positive_rate < 1) continue;
        audited.guess_x.push_back(point.false_positive_rate);
        audited.guess_y.push_back(point.true_positive_rate);
    }
}

std::string number(double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with(".")) text.pop_back();
    return text;
}

}  // namespace

AuditSubject::AuditSubject(const AuditSubjectOptions& options)
    : options_(options),
      model_(load_model(options.model, options.identities)),
      members_(load_part(options.data, model_, "train")),
      others_(load_part(options.data, model_, "test")) {
    if (model_.card.training_examples > 0 && model_.card.training_examples != members_.size()) {
        log_warning("the model was trained on " + std::to_string(model_.card.training_examples) +
                    " examples, the training part of this data has " +
                    std::to_string(members_.size()) +
                    ": repeat the --test-fraction and --split-seed of the training");
    }
}

audit::AuditedModel AuditSubject::traits() const {
    audit::AuditedModel traits;
    traits.images = members_.example_shape.size() == 3;
    traits.tokens = members_.tokens;
    traits.retrainable = !model_.card.training_json.empty();
    traits.is_private = !model_.card.privacy_json.empty();
    traits.parameters = model::parameter_count(model_.spec);
    return traits;
}

audit::ModelClaims AuditSubject::claims() const {
    audit::ModelClaims claims;
    const nlohmann::json privacy = privacy_of(model_);
    if (!privacy.is_object()) return claims;
    const auto epsilon = privacy.find("epsilon_upper"), delta = privacy.find("delta");
    if (epsilon == privacy.end() || !epsilon->is_number() || delta == privacy.end() ||
        !delta->is_number()) {
        throw Error(ErrorCode::kCorrupt,
                    "the privacy statement of the model's card has no epsilon");
    }
    claims.epsilon = epsilon->get<double>();
    claims.delta = delta->get<double>();
    if (const auto plan = plan_of(model_)) claims.accounted_again = plan->epsilon().upper;
    return claims;
}

std::string AuditSubject::fingerprint(const audit::AuditPlan& plan) const {
    nlohmann::json all = {"ward audit 3", model::digest(model_), model_.card.privacy_json,
                          members_.digest, others_.digest};
    std::vector<audit::ExperimentResult> experiments;
    for (const audit::ExperimentSpec& spec : plan.experiments) {
        experiments.emplace_back();
        experiments.back().spec = spec;
    }
    all.push_back(audit::to_json(experiments));
    return sha256_hex(all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string AuditSubject::data_flags() const {
    std::string text = " --model " + options_.model + " --data " + options_.data.data;
    if (!options_.data.schema.empty()) text += " --schema " + options_.data.schema;
    if (!options_.data.label.empty()) text += " --label " + options_.data.label;
    if (options_.data.test_fraction != data::kDefaultTestFraction)
        text += " --test-fraction " + number(options_.data.test_fraction);
    return text;
}

AttackTargetOptions AuditSubject::target_options(int64_t count) const {
    AttackTargetOptions target;
    target.model = options_.model;
    target.identities = options_.identities;
    target.data = options_.data;
    target.runtime = options_.runtime;
    target.count = count;
    return target;
}

audit::ExperimentResult AuditSubject::evasion(const audit::ExperimentSpec& spec) const {
    AttackTarget loaded = load_attack_target(target_options(spec.count));
    audit::ExperimentResult result;
    for (const double epsilon : spec.epsilons) {
        attack::EvasionOptions evasion;
        evasion.norm = attack::parse_norm(spec.norm);
        evasion.epsilon = epsilon;
        evasion.steps = spec.steps;
        evasion.lower = loaded.lower;
        evasion.upper = loaded.upper;
        const auto attack = attack::make_attack(spec.attack, evasion);
        const attack::EvasionResult found = attack::evade(
            *loaded.target, *attack, attack::Points{loaded.x, loaded.y, at::Tensor()}, evasion);
        const auto right = std::count(found.robust.begin(), found.robust.end(), true);
        if (!found.partial.empty()) throw Error(ErrorCode::kInvalid, found.partial);
        result.clean_accuracy = found.clean_accuracy;
        result.robust.push_back({epsilon, found.robust_accuracy,
                                 audit::wilson_interval(right, std::ssize(found.robust)),
                                 found.robust_accuracy_8bit});
        for (const std::string& flag : found.flags) {
            if (std::find(result.flags.begin(), result.flags.end(), flag) == result.flags.end())
                result.flags.push_back(flag);
        }
        result.rerun = "ward attack evasion --attack " + spec.attack + " --norm " + spec.norm +
                       " --epsilon " + number(epsilon) +
                       (spec.steps > 0 ? " --steps " + std::to_string(spec.steps) : "") +
                       " --count " + std::to_string(spec.count) + data_flags() + " --json";
    }
    return result;
}

audit::ExperimentResult AuditSubject::membership(const audit::ExperimentSpec& spec) const {
    attack::MembershipRunOptions options;
    options.count = spec.count;
    options.roc.false_positive_rates = spec.false_positive_rates;
    options.shadows.models = spec.shadows;
    options.shadows.cache = options_.cache;
    if (spec.shadows > 0) options.shadows.train = attack::training_of(model_);
    const attack::MembershipResult found =
        attack::run_membership(model_, members_, others_, options);
    audit::ExperimentResult result;
    result.members = found.members;
    result.others = found.others;
    result.flags = found.flags;
    if (!model_.card.data_digest.empty() &&
        local_digest(members_.digest) != model_.card.data_digest) {
        result.flags.push_back(
            "these are not the rows the card names, or another user trained on them: who is a "
            "member is not known");
    }
    for (const attack::AttackedMembership& attacked : found.attacks)
        result.curves.push_back(curve_of(attacked, found.attacks.size() * attacked.roc.at.size()));
    result.rerun = "ward attack membership --shadows " + std::to_string(spec.shadows) +
                   " --count " + std::to_string(spec.count) + data_flags() + " --json";
    return result;
}

audit::ExperimentResult AuditSubject::privacy(const audit::ExperimentSpec& spec) const {
    const std::optional<dp::PrivacyPlan> plan = plan_of(model_);
    if (!plan) {
        throw Error(ErrorCode::kInvalid, "the model's card holds no privacy plan to audit",
                    "only models of `ward train` with a guarantee have one");
    }
    const train::TrainOptions training = attack::training_of(model_);
    const auto canaries = std::min<int64_t>(spec.canaries, model::parameter_count(model_.spec));
    Random random = Random::from_system();
    const attack::CanaryRun run =
        attack::audit_gradient_space(members_, training, {.canaries = canaries}, random);
    const attack::AuditClaim claim = attack::claim_of(*plan);
    const attack::AuditBound bound = attack::audit_one_run(run.game, claim);
    audit::ExperimentResult result;
    if (canaries < spec.canaries) {
        result.flags.push_back("only " + std::to_string(canaries) + " canaries of the " +
                               std::to_string(spec.canaries) +
                               " planned: the model has no more parameters, and the bound is "
                               "weaker for it");
    }
    audit::AuditedEpsilon audited{claim.epsilon,  claim.delta,   bound.epsilon, bound.curve_epsilon,
                                  bound.canaries, bound.guesses, bound.correct, bound.contradicts};
    add_trade_off(run.game, claim, audited);
    result.epsilons.push_back(std::move(audited));
    return result;
}

audit::ExperimentResult AuditSubject::run(const audit::ExperimentSpec& spec) const {
    switch (spec.kind) {
        case audit::ExperimentKind::kEvasion:
            return evasion(spec);
        case audit::ExperimentKind::kMembership:
            return membership(spec);
        case audit::ExperimentKind::kPrivacy:
            return privacy(spec);
        case audit::ExperimentKind::kExtraction:
            return extraction(spec);
        case audit::ExperimentKind::kInversion:
            return inversion(spec);
    }
    throw Error(ErrorCode::kInternal, "unknown experiment");
}

}  // namespace ward::cli
