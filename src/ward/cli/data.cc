// `ward data describe`: what a data set holds, for its owner.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/data_options.h"
#include "ward/core/error.h"
#include "ward/core/log.h"
#include "ward/data/describe.h"

namespace ward::cli {
namespace {

using data::ColumnDescription;
using data::Description;
using Json = nlohmann::ordered_json;

struct DescribeOptions {
    DataOptions data;
    std::string write_schema;
    bool force = false;
    bool json = false;
};

Json to_json(const std::vector<data::ValueCount>& counts) {
    Json out = Json::array();
    for (const auto& [value, count] : counts) out.push_back({{"value", value}, {"count", count}});
    return out;
}

Json to_json(const ColumnDescription& column) {
    Json out = {{"name", column.name}, {"kind", column.kind}, {"missing", column.missing}};
    out["distinct"] = column.distinct;
    if (column.numeric) {
        out["min"] = column.min;
        out["max"] = column.max;
        out["mean"] = column.mean;
    }
    if (!column.values.empty()) out["values"] = to_json(column.values);
    out["outside_bounds"] = column.outside_bounds;
    out["undeclared"] = column.undeclared;
    return out;
}

// Columns that a schema written from the rows proposes to ignore.
std::vector<const data::ColumnSchema*> left_out(const Description& description) {
    std::vector<const data::ColumnSchema*> columns;
    for (const data::ColumnSchema& column : description.inferred.columns)
        if (column.kind == data::ColumnKind::kIgnored) columns.push_back(&column);
    return columns;
}

Json to_json(const Description& description) {
    Json out = {{"name", description.name},
                {"kind", description.kind},
                {"protected", false},
                {"schema", description.schema.empty() ? Json() : Json(description.schema)}};
    if (!description.example_shape.empty()) out["example_shape"] = description.example_shape;
    out["parts"] = Json::array();
    for (const auto& part : description.parts) {
        out["parts"].push_back({{"split", part.split},
                                {"source", part.source},
                                {"rows", part.rows},
                                {"digest", part.digest},
                                {"classes", to_json(part.classes)}});
    }
    if (description.kind == "table") out["columns"] = Json::array();
    for (const auto& column : description.columns) out["columns"].push_back(to_json(column));
    out["problems"] = description.problems;
    out["left_out"] = Json::array();
    for (const data::ColumnSchema* column : left_out(description))
        out["left_out"].push_back({{"name", column->name}, {"why", column->comment}});
    return out;
}

std::string brief(const std::vector<data::ValueCount>& counts, size_t most) {
    std::string out;
    for (size_t i = 0; i < std::min(most, counts.size()); ++i) {
        out += (i == 0 ? "" : ", ") + counts[i].value;
        out += " (" + std::to_string(counts[i].count) + ")";
    }
    return out + (counts.size() > most ? ", ..." : "");
}

void print_column(const ColumnDescription& column) {
    std::string what;
    if (column.numeric && column.values.empty()) {
        char text[96];
        std::snprintf(text, sizeof text, "%.6g to %.6g, mean %.6g", column.min, column.max,
                      column.mean);
        what = text;
    } else {
        what = std::to_string(column.distinct) + ": " + brief(column.values, 4);
    }
    std::printf("  %-24s %-12s %9lld  %s\n", column.name.c_str(), column.kind.c_str(),
                static_cast<long long>(column.missing), what.c_str());
}

void print_text(const Description& description) {
    std::printf("name      %s (%s)\n", description.name.c_str(), description.kind.c_str());
    std::printf("schema    %s\n", description.schema.empty() ? "none" : description.schema.c_str());
    if (!description.example_shape.empty()) {
        std::string shape;
        for (int64_t n : description.example_shape)
            shape += (shape.empty() ? "" : " x ") + std::to_string(n);
        std::printf("example   %s\n", shape.c_str());
    }
    for (const auto& part : description.parts) {
        std::printf("%-9s %lld rows, %s\n", part.split.c_str(), static_cast<long long>(part.rows),
                    part.source.c_str());
        std::printf("          sha256 %s\n", part.digest.c_str());
        if (!part.classes.empty())
            std::printf("          classes %s\n", brief(part.classes, 10).c_str());
    }
    if (!description.columns.empty())
        std::printf("\n  %-24s %-12s %9s  %s\n", "column", "kind", "missing", "values (count)");
    for (const auto& column : description.columns) print_column(column);
    if (!description.problems.empty()) std::printf("\nproblems\n");
    for (const std::string& problem : description.problems) std::printf("  %s\n", problem.c_str());
}

void refuse_to_overwrite(const DescribeOptions& options) {
    if (options.write_schema.empty() || options.force) return;
    std::error_code ignored;
    if (!std::filesystem::exists(options.write_schema, ignored)) return;
    throw Error(ErrorCode::kUsage, options.write_schema + " exists already",
                "name another file, or overwrite it with --force");
}

void write_schema(const Description& description, const std::string& file) {
    if (description.kind != "table")
        throw Error(ErrorCode::kUsage,
                    "--write-schema is for tables, these are " + description.kind);
    data::write_schema(description.inferred, file);
    log_info("wrote " + file +
             ": replace its bounds by public knowledge, then remove bounds_from_data");
    for (const data::ColumnSchema* column : left_out(description))
        log_warning("column " + column->name + ": " + column->comment);
    if (description.inferred.find(data::ColumnKind::kLabel) < 0)
        log_info("it declares no label: give this command --label COLUMN as well, or edit the file");
}

void run_describe(const DescribeOptions& options) {
    refuse_to_overwrite(options);
    const Description description = data::describe(to_request(options.data, "all"));
    log_warning(
        "this describes the rows as they are; no privacy guarantee covers it, do not publish it");
    if (!options.write_schema.empty()) write_schema(description, options.write_schema);
    if (options.json) {
        // Values of a file need not be UTF-8; JSON must be.
        std::cout << to_json(description).dump(2, ' ', false, Json::error_handler_t::replace)
                  << "\n";
    } else {
        print_text(description);
    }
}

}  // namespace

void add_data_command(CLI::App& app) {
    auto* group = app.add_subcommand("data", "Look at data sets and write schemas for them");
    group->require_subcommand(1);
    group->footer(
        "Examples:\n  ward data describe people.csv\n"
        "  ward data describe people.csv --write-schema people.yaml");
    auto* command = group->add_subcommand(
        "describe",
        "Columns, kinds, missing values, classes and digest. Reads private rows; the "
        "output is not protected");
    auto options = std::make_shared<DescribeOptions>();
    add_data_options(*command, options->data, true);
    command
        ->add_option("--write-schema", options->write_schema,
                     "Write a schema to start from, with bounds read from the rows and marked so")
        ->type_name("FILE");
    command->add_flag("--force", options->force, "Let --write-schema overwrite an existing file");
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(
        "Examples:\n  ward data describe digits\n"
        "  ward data describe patients.csv --delimiter ';' --label outcome --write-schema s.yaml");
    command->callback([options] { run_describe(*options); });
}

}  // namespace ward::cli
