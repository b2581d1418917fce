// `ward report`: training records -> one HTML page for people, one JSON file for programs.
#include <CLI/CLI.hpp>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "ward/audit/render_html.h"
#include "ward/audit/render_json.h"
#include "ward/audit/training_report.h"
#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"

namespace ward::cli {
namespace {

struct Options {
    std::vector<std::string> records;
    std::string out = "report.html";
    std::string json;
    std::string title = "Privacy report";
    std::vector<std::string> commands;
};

std::string now_utc() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &parts);
    return text;
}

void run_report(const Options& options) {
    std::vector<NamedPath> inputs;
    for (const std::string& path : options.records) inputs.push_back({"a record", path});
    check_outputs(inputs, {{"--out", options.out}, {"--json", options.json}});
    std::vector<audit::TrainingRecord> records;
    for (const std::string& path : options.records) {
        records.push_back(audit::parse_training_record(read_text_file(path), path));
    }
    audit::TrainingReportOptions settings;
    settings.title = options.title;
    settings.created_utc = now_utc();
    settings.software = std::string("ward ") + WARD_VERSION;
    settings.commands = options.commands;
    const audit::Report report = audit::make_training_report(records, settings);
    write_file_atomically(options.out, audit::render_html(report));
    if (!options.json.empty()) write_file_atomically(options.json, audit::render_json(report));
    if (!audit::charts_available()) {
        log_warning("this copy of Ward was built without Chart.js: the report shows tables only");
    }
    std::cout << std::filesystem::absolute(options.out).string() << "\n";
}

}  // namespace

void add_report_command(CLI::App& app) {
    auto* command = app.add_subcommand(
        "report", "One report from training records: guarantee, accuracy, price");
    auto options = std::make_shared<Options>();
    command
        ->add_option(
            "RECORD", options->records,
            "Training records (.record.json); a private one and the non-private one of the "
            "same data and model are compared")
        ->required();
    command->add_option("--out", options->out, "The page to write")->capture_default_str();
    command->add_option("--json", options->json, "Also write the report as JSON to this file");
    command->add_option("--title", options->title, "Title of the report")->capture_default_str();
    command->add_option("--made-by", options->commands,
                        "A command that makes everything again, shown first");
    command->footer(
        "Examples:\n  ward report private.record.json twin.record.json --out report.html\n"
        "  ward report *.record.json --out report.html --json report.json");
    command->callback([options] { run_report(*options); });
}

}  // namespace ward::cli
