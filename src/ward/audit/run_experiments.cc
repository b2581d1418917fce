#include "ward/audit/run_experiments.h"

#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"

namespace ward::audit {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<ExperimentResult> load_state(const ExperimentRunOptions& options) {
    if (options.state_file.empty() || options.fresh || !std::ifstream(options.state_file))
        return {};
    const auto state = nlohmann::json::parse(read_text_file(options.state_file), nullptr, false);
    if (!state.is_object() || !state.contains("fingerprint") || !state.contains("results")) {
        throw Error(ErrorCode::kCorrupt, options.state_file + " is not the state of an audit",
                    "begin again with --fresh");
    }
    if (state["fingerprint"] != options.fingerprint) {
        throw Error(ErrorCode::kRefused,
                    options.state_file +
                        " is of an audit of another model, other data or another "
                        "plan",
                    "choose another --out, or begin again with --fresh");
    }
    return parse_results(state["results"].dump(), options.state_file);
}

void save_state(const ExperimentRunOptions& options,
                const std::map<std::string, ExperimentResult>& known) {
    if (options.state_file.empty()) return;
    std::vector<ExperimentResult> results;
    for (const auto& [id, result] : known) results.push_back(result);
    const nlohmann::json state = {{"format", "ward-audit-state-1"},
                                  {"fingerprint", options.fingerprint},
                                  {"results", nlohmann::json::parse(to_json(results))}};
    write_file_atomically(
        options.state_file,
        std::string_view(state.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

ExperimentResult attempt(const ExperimentSpec& spec, const Experimenter& experiment) {
    const Clock::time_point start = Clock::now();
    ExperimentResult result;
    try {
        result = experiment(spec);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kInterrupted) throw;
        result.status = ExperimentStatus::kFailed;
        result.reason = error.message();
        log_warning(spec.id + ": " + error.message());
    }
    result.spec = spec;
    result.seconds = seconds_since(start);
    return result;
}

}  // namespace

std::vector<ExperimentResult> run_experiments(const AuditPlan& plan, const Experimenter& experiment,
                                              const ExperimentRunOptions& options) {
    // What was skipped or failed gets another chance.
    std::map<std::string, ExperimentResult> known;
    double spent = 0;
    for (ExperimentResult& result : load_state(options)) {
        if (result.status != ExperimentStatus::kDone) continue;
        spent += result.seconds;
        known[result.spec.id] = std::move(result);
    }
    std::vector<ExperimentResult> results;
    for (size_t i = 0; i < plan.experiments.size(); ++i) {
        const ExperimentSpec& spec = plan.experiments[i];
        if (const auto found = known.find(spec.id); found != known.end()) {
            results.push_back(found->second);
            continue;
        }
        if (options.stop != nullptr && *options.stop) {
            throw Error(ErrorCode::kInterrupted,
                        "stopped after " + std::to_string(i) + " of " +
                            std::to_string(plan.experiments.size()) + " experiments",
                        "the same command goes on from here");
        }
        if (plan.budget_seconds > 0 && spent > plan.budget_seconds) {
            ExperimentResult skipped;
            skipped.spec = spec;
            skipped.status = ExperimentStatus::kSkipped;
            skipped.reason =
                "the time budget was spent before its turn; the same command with --budget 0 goes "
                "on";
            results.push_back(std::move(skipped));
            continue;
        }
        log_info("experiment " + std::to_string(i + 1) + " of " +
                 std::to_string(plan.experiments.size()) + ": " + spec.id);
        results.push_back(attempt(spec, experiment));
        spent += results.back().seconds;
        known[spec.id] = results.back();
        save_state(options, known);
    }
    return results;
}

}  // namespace ward::audit
