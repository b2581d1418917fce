#include "ward/audit/experiment.h"

#include <array>

#include "ward/audit/internal/experiment_json.h"
#include "ward/core/error.h"

namespace ward::audit {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 5> kKinds = {"evasion", "membership", "privacy", "extraction",
                                               "inversion"};
constexpr std::array<const char*, 3> kStatuses = {"done", "skipped", "failed"};

template <size_t N>
size_t index_of(const std::array<const char*, N>& names, const std::string& name) {
    for (size_t i = 0; i < N; ++i)
        if (names[i] == name) return i;
    throw Error(ErrorCode::kCorrupt, "unknown name " + name.substr(0, 40));
}

Json pair(const Interval& interval) { return {interval.low, interval.high}; }
Interval interval_of(const Json& json) { return {json.at(0), json.at(1)}; }

Json spec_json(const ExperimentSpec& spec) {
    Json json = {{"id", spec.id}, {"kind", kind_name(spec.kind)}};
    if (spec.kind == ExperimentKind::kEvasion) {
        json["attack"] = spec.attack;
        json["norm"] = spec.norm;
        json["epsilon"] = spec.epsilons;
        json["steps"] = spec.steps;
        json["count"] = spec.count;
    } else if (spec.kind == ExperimentKind::kMembership) {
        json["shadows"] = spec.shadows;
        json["fpr"] = spec.false_positive_rates;
        json["count"] = spec.count;
    } else if (spec.kind == ExperimentKind::kPrivacy) {
        json["canaries"] = spec.canaries;
    } else if (spec.kind == ExperimentKind::kExtraction) {
        json["attack"] = spec.attack;
        json["queries"] = spec.queries;
        json["answer"] = spec.answer;
        json["count"] = spec.count;
    } else {
        json["attack"] = spec.attack;
        json["steps"] = spec.steps;
    }
    return json;
}

ExperimentSpec spec_of(const Json& json) {
    ExperimentSpec spec;
    spec.id = json.at("id");
    spec.kind = static_cast<ExperimentKind>(index_of(kKinds, json.at("kind")));
    spec.attack = json.value("attack", spec.attack);
    spec.norm = json.value("norm", spec.norm);
    spec.epsilons = json.value("epsilon", spec.epsilons);
    spec.steps = json.value("steps", spec.steps);
    spec.count = json.value("count", spec.count);
    spec.shadows = json.value("shadows", spec.shadows);
    spec.false_positive_rates = json.value("fpr", spec.false_positive_rates);
    spec.canaries = json.value("canaries", spec.canaries);
    spec.queries = json.value("queries", spec.queries);
    spec.answer = json.value("answer", spec.answer);
    return spec;
}

Json curve_json(const MembershipCurve& curve) {
    Json rates = Json::array();
    for (const RatePoint& rate : curve.rates) {
        rates.push_back({{"fpr", rate.false_positive_rate},
                         {"tpr", rate.true_positive_rate},
                         {"tpr_interval", pair(rate.interval)},
                         {"fpr_reached", rate.reached},
                         {"fpr_at_most", rate.reached_at_most},
                         {"tpr_at_least", rate.found_at_least},
                         {"tpr_at_rate_interval", pair(rate.at_wanted)},
                         {"resolved", rate.resolved}});
    }
    return {{"attack", curve.attack},
            {"auc", curve.auc},
            {"auc_interval", pair(curve.auc_interval)},
            {"tpr_at_fpr", rates},
            {"roc", {{"fpr", curve.x}, {"tpr", curve.y}}}};
}

MembershipCurve curve_of(const Json& json) {
    MembershipCurve curve;
    curve.attack = json.at("attack");
    curve.auc = json.at("auc");
    curve.auc_interval = interval_of(json.at("auc_interval"));
    for (const Json& rate : json.at("tpr_at_fpr")) {
        curve.rates.push_back({rate.at("fpr"), rate.at("tpr"), interval_of(rate.at("tpr_interval")),
                               rate.at("fpr_reached"), rate.at("fpr_at_most"),
                               rate.at("tpr_at_least"),
                               interval_of(rate.at("tpr_at_rate_interval")), rate.at("resolved")});
    }
    curve.x = json.at("roc").at("fpr").get<std::vector<double>>();
    curve.y = json.at("roc").at("tpr").get<std::vector<double>>();
    if (curve.x.size() != curve.y.size()) throw Error(ErrorCode::kCorrupt, "a curve is torn");
    return curve;
}

Json robust_json(const std::vector<RobustPoint>& points) {
    Json list = Json::array();
    for (const RobustPoint& point : points) {
        list.push_back({{"epsilon", point.epsilon},
                        {"robust_accuracy", point.accuracy},
                        {"robust_accuracy_interval", pair(point.interval)},
                        {"robust_accuracy_8bit", point.accuracy_8bit}});
    }
    return list;
}

Json epsilons_json(const std::vector<AuditedEpsilon>& epsilons) {
    Json list = Json::array();
    for (const AuditedEpsilon& audited : epsilons) {
        list.push_back({{"claimed_epsilon", audited.claimed},
                        {"delta", audited.delta},
                        {"epsilon_lower", audited.lower},
                        {"epsilon_lower_by_curve", audited.curve_lower},
                        {"canaries", audited.canaries},
                        {"guesses", audited.guesses},
                        {"correct", audited.correct},
                        {"contradicts", audited.contradicts},
                        {"trade_off", {{"fpr", audited.curve_x}, {"tpr", audited.curve_y}}},
                        {"guesses_roc", {{"fpr", audited.guess_x}, {"tpr", audited.guess_y}}}});
    }
    return list;
}

AuditedEpsilon audited_of(const Json& json) {
    AuditedEpsilon audited{json.at("claimed_epsilon"), json.at("delta"),
                           json.at("epsilon_lower"),   json.at("epsilon_lower_by_curve"),
                           json.at("canaries"),        json.at("guesses"),
                           json.at("correct"),         json.at("contradicts")};
    const auto read = [&](const char* name, std::vector<double>& x, std::vector<double>& y) {
        if (!json.contains(name)) return;
        x = json.at(name).at("fpr").get<std::vector<double>>();
        y = json.at(name).at("tpr").get<std::vector<double>>();
        if (x.size() != y.size()) throw Error(ErrorCode::kCorrupt, "a curve is torn");
    };
    read("trade_off", audited.curve_x, audited.curve_y);
    read("guesses_roc", audited.guess_x, audited.guess_y);
    return audited;
}

Json copies_json(const std::vector<CopyPoint>& copies) {
    Json list = Json::array();
    for (const CopyPoint& copy : copies) {
        list.push_back({{"queries", copy.queries},
                        {"fidelity", copy.fidelity},
                        {"fidelity_interval", pair(copy.interval)},
                        {"accuracy", copy.accuracy}});
    }
    return list;
}

// Pixels as hexadecimal digits, row by row.
Json picture_json(const Picture& picture) {
    constexpr const char* kDigits = "0123456789abcdef";
    std::string pixels;
    for (const uint8_t value : picture.pixels) {
        pixels += kDigits[value >> 4];
        pixels += kDigits[value & 15];
    }
    return {{"width", picture.width},
            {"height", picture.height},
            {"channels", picture.channels},
            {"pixels", pixels}};
}

Picture picture_of(const Json& json) {
    Picture picture{json.at("width"), json.at("height"), json.at("channels"), {}, ""};
    const auto text = json.at("pixels").get<std::string>();
    const auto digit = [&](size_t i) {
        const char c = text[i];
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        throw Error(ErrorCode::kCorrupt, "a picture is not in hexadecimal digits");
    };
    for (size_t i = 0; i + 1 < text.size(); i += 2)
        picture.pixels.push_back(static_cast<uint8_t>(16 * digit(i) + digit(i + 1)));
    (void)encode_png(picture);  // throws where sizes do not fit
    return picture;
}

Json inverted_json(const std::vector<InvertedClass>& inverted) {
    Json list = Json::array();
    for (const InvertedClass& one : inverted) {
        list.push_back({{"class", one.name},
                        {"confidence", one.confidence},
                        {"judged", one.judged},
                        {"judge_confidence", one.judge_confidence},
                        {"psnr_to_mean", one.psnr},
                        {"ssim_to_mean", one.ssim},
                        {"mean", picture_json(one.mean)},
                        {"found", picture_json(one.found)}});
    }
    return list;
}

void read_copies_and_pictures(const Json& json, ExperimentResult& result) {
    for (const Json& copy : json.value("copies", Json::array())) {
        result.copies.push_back({copy.at("queries"), copy.at("fidelity"),
                                 interval_of(copy.at("fidelity_interval")), copy.at("accuracy")});
    }
    result.constant_fidelity = json.value("fidelity_of_a_constant", 0.0);
    for (const Json& one : json.value("inverted", Json::array())) {
        result.inverted.push_back({one.at("class"), one.at("confidence"), one.at("judged"),
                                   one.at("judge_confidence"), one.at("psnr_to_mean"),
                                   one.at("ssim_to_mean"), picture_of(one.at("mean")),
                                   picture_of(one.at("found"))});
    }
    result.judge = json.value("judge", "");
    result.judge_accuracy = json.value("judge_accuracy", 0.0);
}

ExperimentResult result_of(const Json& json) {
    ExperimentResult result;
    result.spec = spec_of(json.at("experiment"));
    result.status = static_cast<ExperimentStatus>(index_of(kStatuses, json.at("status")));
    result.reason = json.value("reason", "");
    result.seconds = json.at("seconds");
    result.clean_accuracy = json.value("clean_accuracy", 0.0);
    for (const Json& point : json.value("robust", Json::array())) {
        result.robust.push_back({point.at("epsilon"), point.at("robust_accuracy"),
                                 interval_of(point.at("robust_accuracy_interval")),
                                 point.at("robust_accuracy_8bit")});
    }
    for (const Json& curve : json.value("curves", Json::array()))
        result.curves.push_back(curve_of(curve));
    result.members = json.value("members", int64_t{0});
    result.others = json.value("others", int64_t{0});
    for (const Json& audited : json.value("privacy", Json::array()))
        result.epsilons.push_back(audited_of(audited));
    read_copies_and_pictures(json, result);
    result.flags = json.value("flags", std::vector<std::string>{});
    result.rerun = json.value("rerun", "");
    return result;
}

}  // namespace

std::string_view kind_name(ExperimentKind kind) { return kKinds[static_cast<size_t>(kind)]; }

Json experiment_json(const ExperimentResult& result) {
    Json json = {{"experiment", spec_json(result.spec)},
                 {"status", kStatuses[static_cast<size_t>(result.status)]}};
    if (!result.reason.empty()) json["reason"] = result.reason;
    json["seconds"] = result.seconds;
    if (!result.robust.empty()) {
        json["clean_accuracy"] = result.clean_accuracy;
        json["robust"] = robust_json(result.robust);
    }
    if (!result.curves.empty()) {
        json["members"] = result.members;
        json["others"] = result.others;
        json["curves"] = Json::array();
        for (const MembershipCurve& curve : result.curves)
            json["curves"].push_back(curve_json(curve));
    }
    if (!result.epsilons.empty()) json["privacy"] = epsilons_json(result.epsilons);
    if (!result.copies.empty()) {
        json["clean_accuracy"] = result.clean_accuracy;
        json["fidelity_of_a_constant"] = result.constant_fidelity;
        json["copies"] = copies_json(result.copies);
    }
    if (!result.inverted.empty()) {
        json["clean_accuracy"] = result.clean_accuracy;
        json["judge"] = result.judge;
        json["judge_accuracy"] = result.judge_accuracy;
        json["inverted"] = inverted_json(result.inverted);
    }
    json["flags"] = result.flags;
    json["rerun"] = result.rerun;
    return json;
}

std::string to_json(const std::vector<ExperimentResult>& results) {
    Json list = Json::array();
    for (const ExperimentResult& result : results) list.push_back(experiment_json(result));
    return list.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<ExperimentResult> parse_results(std::string_view json, const std::string& name) {
    std::vector<ExperimentResult> results;
    try {
        for (const Json& item : Json::parse(json)) results.push_back(result_of(item));
    } catch (const nlohmann::json::exception&) {
        throw Error(ErrorCode::kCorrupt, name + " does not hold results of an audit");
    } catch (const Error& error) {
        throw Error(ErrorCode::kCorrupt, name + ": " + error.message());
    }
    return results;
}

}  // namespace ward::audit
