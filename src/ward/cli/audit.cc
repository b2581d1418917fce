// `ward audit`: attack a model in every way that its claims are about, and judge.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ward/attack/evasion.h"
#include "ward/attack/extraction.h"
#include "ward/attack/inversion.h"
#include "ward/audit/audit_report.h"
#include "ward/audit/render_html.h"
#include "ward/audit/run_experiments.h"
#include "ward/cli/internal/audit.h"
#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/signals.h"
#include "ward/cli/internal/training_outcome.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"

namespace ward::cli {
namespace {

struct Options {
    AuditSubjectOptions subject;
    std::string level = "quick", plan, gate, out = "audit";
    std::optional<double> budget_seconds;
    bool fresh = false, json = false;
};

std::string now_utc() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &parts);
    return text;
}

void require_known(const audit::ExperimentSpec& spec, const std::vector<std::string>& names) {
    if (std::find(names.begin(), names.end(), spec.attack) != names.end()) return;
    std::string known;
    for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
    throw Error(ErrorCode::kUsage,
                "there is no " + std::string(audit::kind_name(spec.kind)) + " attack " +
                    spec.attack.substr(0, 64),
                "known ones: " + known);
}

audit::AuditPlan choose_plan(const Options& options, const AuditSubject& subject) {
    audit::AuditPlan plan =
        options.plan.empty() ? audit::plan_of_level(options.level, subject.traits())
                             : audit::parse_audit_plan(read_text_file(options.plan), options.plan);
    if (options.budget_seconds) plan.budget_seconds = *options.budget_seconds;
    for (const audit::ExperimentSpec& spec : plan.experiments) {  // a typo is found before the work
        if (spec.kind == audit::ExperimentKind::kExtraction)
            require_known(spec, attack::extraction_names());
        if (spec.kind == audit::ExperimentKind::kInversion)
            require_known(spec, attack::inversion_names());
        if (spec.kind != audit::ExperimentKind::kEvasion) continue;
        attack::EvasionOptions evasion;
        evasion.norm = attack::parse_norm(spec.norm);
        evasion.epsilon = spec.epsilons.empty() ? 1 : spec.epsilons.front();
        (void)attack::make_attack(spec.attack, evasion);
    }
    return plan;
}

audit::AuditFacts facts_of(const Options& options, const AuditSubject& subject,
                           const audit::AuditPlan& plan,
                           const std::vector<audit::ExperimentResult>& results) {
    audit::AuditFacts facts;
    facts.model_file = options.subject.model;
    facts.model_name = subject.model().spec.name;
    facts.model_digest = model::digest(subject.model());
    facts.data_name = subject.members().name;
    facts.parameters = model::parameter_count(subject.model().spec);
    facts.plan_name = plan.level;
    facts.created_utc = now_utc();
    facts.software = "ward " WARD_VERSION;
    facts.command = command_line();
    for (const audit::ExperimentResult& result : results) facts.seconds += result.seconds;
    return facts;
}

void print_human(const audit::Judgement& judgement, const std::filesystem::path& folder) {
    std::printf("verdict        %s\n", std::string(audit::verdict_name(judgement.verdict)).c_str());
    for (const std::string& text : judgement.contradictions)
        std::printf("contradiction  %s\n", text.c_str());
    for (const audit::GateResult& gate : judgement.gates) {
        const bool holds = gate.outcome == audit::GateResult::Outcome::kHolds;
        std::printf("gate           %s: %s (%s)\n", gate.gate.c_str(),
                    holds ? "holds" : "does not hold", gate.found.c_str());
    }
    for (const std::string& warning : judgement.warnings)
        std::printf("warning        %s\n", warning.c_str());
    std::printf("report         %s\n", (folder / "audit.html").c_str());
}

void run(Options options) {
    const std::atomic<bool>* stop = stop_on_signals();
    apply(options.subject.runtime);
    // Files that are wrong are found before hours of work.
    audit::Gates gates;
    if (!options.gate.empty())
        gates = audit::parse_gates(read_text_file(options.gate), options.gate);
    const std::filesystem::path folder = options.out;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
        throw Error(ErrorCode::kIo,
                    "cannot make the folder " + folder.string() + ": " + error.message(),
                    "give --out a folder");
    }
    options.subject.cache = (folder / "references").string();
    const FileLock lock((folder / "audit.lock").string());
    const AuditSubject subject(options.subject);
    const audit::AuditPlan plan = choose_plan(options, subject);
    const std::vector<audit::ExperimentResult> results = audit::run_experiments(
        plan, [&](const audit::ExperimentSpec& spec) { return subject.run(spec); },
        {(folder / "audit.state.json").string(), subject.fingerprint(plan), options.fresh, stop});
    const audit::ModelClaims claims = subject.claims();
    const audit::Judgement judgement = audit::judge(claims, results, gates);
    const audit::AuditFacts facts = facts_of(options, subject, plan, results);
    const std::string json = audit::audit_json(facts, claims, results, judgement);
    write_file_atomically((folder / "audit.json").string(), std::string_view(json));
    write_file_atomically((folder / "audit.html").string(),
                          std::string_view(audit::render_html(
                              audit::make_audit_report(facts, claims, results, judgement))));
    if (!audit::charts_available())
        log_warning("this copy of Ward was built without Chart.js: the report shows tables only");
    if (options.json) {
        std::cout << json;
    } else {
        print_human(judgement, folder);
    }
    if (judgement.refuses()) {
        std::cout.flush();
        std::fflush(stdout);
        throw Error(ErrorCode::kRefused,
                    judgement.contradictions.empty() ? "a gate does not hold"
                                                     : "a claim of the model is contradicted",
                    "see " + (folder / "audit.html").string());
    }
}

}  // namespace

void add_audit_command(CLI::App& app) {
    auto* command = app.add_subcommand(
        "audit", "Attack a model in every way its claims are about; one report, one verdict");
    auto options = std::make_shared<Options>();
    command
        ->add_option("MODEL", options->subject.model,
                     "Model file of `ward train` (.safetensors, also encrypted)")
        ->required();
    add_identity_options(*command, options->subject.identities);
    add_data_options(*command, options->subject.data);
    add_split_options(*command, options->subject.data);
    command
        ->add_option("--level", options->level,
                     "quick (minutes), standard (half an hour) or full (no limit)")
        ->capture_default_str();
    command
        ->add_option("--plan", options->plan, "audit.yaml: which experiments, instead of a level")
        ->type_name("FILE");
    command->add_option("--gate", options->gate, "gate.yaml: what must hold for a release")
        ->type_name("FILE");
    command
        ->add_option("--budget", options->budget_seconds,
                     "Begin no experiment after so many seconds; 0: no limit [by the plan]")
        ->check(CLI::NonNegativeNumber);
    command
        ->add_option("--out", options->out,
                     "Folder for audit.html, audit.json, the state of the run and the references")
        ->capture_default_str();
    command->add_flag("--fresh", options->fresh, "Forget what an earlier run has done");
    command->add_flag("--json", options->json, "Print audit.json instead of a summary");
    add_runtime_options(*command, options->subject.runtime);
    command->footer(
        "Exit code 3: a claim is contradicted, or a gate does not hold or was not shown.\nA run "
        "that "
        "was stopped goes on when the same command is given again.\n\nExamples:\n  ward audit "
        "m.safetensors --data digits --out audit\n  ward audit m.safetensors --data patients.csv "
        "--level standard --gate gate.yaml --json");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
