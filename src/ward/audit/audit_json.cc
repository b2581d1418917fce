#include <array>

#include "ward/audit/audit_report.h"
#include "ward/audit/internal/experiment_json.h"

namespace ward::audit {

std::string audit_json(const AuditFacts& facts, const ModelClaims& claims,
                       const std::vector<ExperimentResult>& results, const Judgement& judgement) {
    using Json = nlohmann::ordered_json;
    constexpr std::array<const char*, 3> kOutcomes = {"holds", "fails", "not shown"};
    const auto optional = [](const std::optional<double>& value) {
        return value ? Json(*value) : Json();
    };
    Json gates = Json::array();
    for (const GateResult& gate : judgement.gates) {
        gates.push_back({{"gate", gate.gate},
                         {"found", gate.found},
                         {"outcome", kOutcomes[static_cast<size_t>(gate.outcome)]}});
    }
    Json experiments = Json::array();
    for (const ExperimentResult& result : results) experiments.push_back(experiment_json(result));
    const Json all = {{"format", "ward-audit-1"},
                      {"verdict", verdict_name(judgement.verdict)},
                      {"contradictions", judgement.contradictions},
                      {"gates", gates},
                      {"warnings", judgement.warnings},
                      {"claims",
                       {{"epsilon", optional(claims.epsilon)},
                        {"delta", claims.epsilon ? Json(claims.delta) : Json()},
                        {"epsilon_accounted_again", optional(claims.accounted_again)}}},
                      {"model",
                       {{"file", facts.model_file},
                        {"name", facts.model_name},
                        {"digest", facts.model_digest},
                        {"parameters", facts.parameters}}},
                      {"data", facts.data_name},
                      {"plan", facts.plan_name},
                      {"seconds", facts.seconds},
                      {"created_utc", facts.created_utc},
                      {"software", facts.software},
                      {"command", facts.command},
                      {"experiments", experiments}};
    // Names and messages may hold bytes that are not UTF-8.
    return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ward::audit
