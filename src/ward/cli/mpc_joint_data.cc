#include "ward/cli/internal/mpc_joint_data.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "ward/cli/internal/mpc_files.h"
#include "ward/data/encode.h"
#include "ward/data/schema.h"

namespace ward::cli {
namespace {

struct OwnTable {
    std::string owner;
    data::Dataset data;
    size_t inputs = 0;
};

// Nothing for images and arrays.
std::optional<data::Schema> schema_of(const OwnTable& table) {
    const auto record = nlohmann::json::parse(table.data.preprocessing_json, nullptr, false);
    if (!record.is_object() || record.value("kind", nlohmann::json()) != "table") {
        return std::nullopt;
    }
    return data::schema_of(table.data.preprocessing_json);
}

// Inputs, and the label of the owner that has shared it.
bool is_shared(const data::ColumnSchema& column, const OwnTable& table) {
    switch (column.kind) {
        case data::ColumnKind::kNumeric:
        case data::ColumnKind::kInteger:
        case data::ColumnKind::kCategorical:
            return true;
        case data::ColumnKind::kLabel:
            return !table.data.class_names.empty();
        case data::ColumnKind::kTarget:
        case data::ColumnKind::kGroup:
        case data::ColumnKind::kIgnored:
            break;
    }
    return false;
}

bool some_names_are_equal(const std::vector<OwnTable>& tables,
                          const std::vector<data::Schema>& schemas) {
    std::set<std::string> seen;
    for (size_t i = 0; i < tables.size(); ++i) {
        for (const data::ColumnSchema& column : schemas[i].columns) {
            if (is_shared(column, tables[i]) && !seen.insert(column.name).second) return true;
        }
    }
    return false;
}

std::optional<data::Schema> joint_schema(const std::vector<OwnTable>& tables) {
    std::vector<data::Schema> schemas;
    for (const OwnTable& table : tables) {
        auto schema = schema_of(table);
        if (!schema) return std::nullopt;
        schemas.push_back(std::move(*schema));
    }
    const bool prefixed = some_names_are_equal(tables, schemas);
    data::Schema out;
    out.symmetric_range = schemas[0].symmetric_range;
    out.format.missing = schemas[0].format.missing;
    for (size_t i = 0; i < tables.size(); ++i) {
        if (schemas[i].symmetric_range != out.symmetric_range) return std::nullopt;
        if (schemas[i].format.missing != out.format.missing) out.format = data::CsvFormat();
        out.name += (i > 0 ? " and " : "") + tables[i].owner;
        out.bounds_from_data = out.bounds_from_data || schemas[i].bounds_from_data;
        for (data::ColumnSchema column : schemas[i].columns) {
            if (!is_shared(column, tables[i])) continue;
            if (prefixed) column.name = tables[i].owner + "/" + column.name;
            out.columns.push_back(std::move(column));
        }
    }
    data::validate(out);
    return out;
}

data::Dataset put_beside(const std::vector<OwnTable>& tables) {
    data::Dataset out;
    size_t inputs = 0;
    for (const OwnTable& table : tables) {
        if (!table.data.class_names.empty()) out.class_names = table.data.class_names;
        out.bounds_read_from_data = out.bounds_read_from_data || table.data.bounds_read_from_data;
        for (const std::string& name : table.data.feature_names) {
            out.feature_names.push_back(table.owner + "/" + name);
        }
        inputs += table.inputs;
    }
    out.example_shape = {static_cast<int64_t>(inputs)};
    if (const auto schema = joint_schema(tables)) {
        out.feature_names = data::feature_names(*schema);
        out.preprocessing_json = data::preprocessing_of(*schema);
    }
    return out;
}

}  // namespace

data::Dataset joint_data(const mpc::JobFile& file, std::span<const mpc::ShareFile> owners) {
    std::vector<OwnTable> tables;
    for (const mpc::ShareFile& owner : owners) {
        tables.push_back({owner.name, data_from_about(owner.about, owner.name),
                          owner.matrices[mpc::kFeaturesAt].cols});
    }
    if (file.alignment != mpc::Alignment::kHorizontal && owners.size() > 1) {
        return put_beside(tables);
    }
    return std::move(tables.back().data);
}

}  // namespace ward::cli
