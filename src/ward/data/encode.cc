#include "ward/data/encode.h"

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/parallel.h"

namespace ward::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kRowGrain = 4096;
constexpr int64_t kNoRow = std::numeric_limits<int64_t>::max();

bool is_number(ColumnKind kind) {
    return kind == ColumnKind::kNumeric || kind == ColumnKind::kInteger;
}

bool is_input(ColumnKind kind) { return is_number(kind) || kind == ColumnKind::kCategorical; }

// Inputs that one column takes.
int64_t width_of(const ColumnSchema& column) {
    const int64_t missing = column.missing == MissingPolicy::kCategory ? 1 : 0;
    if (is_number(column.kind)) return 1 + missing;
    if (column.kind != ColumnKind::kCategorical) return 0;
    const int64_t unknown = column.unknown == UnknownPolicy::kCategory ? 1 : 0;
    return static_cast<int64_t>(column.categories.size()) + missing + unknown;
}

// Writes one column's inputs for a range of rows; counts what was out of the ordinary.
class ColumnEncoder {
  public:
    ColumnEncoder(const ColumnSchema& schema, const Column& column, int64_t offset, bool symmetric)
        : schema_(schema), column_(column), offset_(offset), symmetric_(symmetric) {
        if (!is_number(schema.kind)) {
            for (size_t i = 0; i < schema.categories.size(); ++i)
                if (schema.categories[i] == schema.impute) impute_code_ = static_cast<int32_t>(i);
            return;
        }
        if (schema.missing == MissingPolicy::kImpute)
            impute_ = std::strtod(schema.impute.c_str(), nullptr);
        else
            impute_ = *schema.min;
    }

    void encode(int64_t first, int64_t last, int64_t stride, float* inputs) {
        for (int64_t row = first; row < last; ++row) {
            float* out = inputs + row * stride + offset_;
            if (is_number(schema_.kind)) {
                const int64_t before = clamped;
                encode_number(column_.numbers[static_cast<size_t>(row)], out);
                if (clamped > 0 && before == 0) first_clamped = row;
            } else {
                encode_category(column_.codes[static_cast<size_t>(row)], out);
            }
        }
    }

    int64_t clamped = 0, missing = 0, unknown = 0;
    int64_t first_clamped = kNoRow;

  private:
    void encode_number(double value, float* out) {
        const bool absent = std::isnan(value);
        if (absent) {
            ++missing;
            value = impute_;
        }
        if (schema_.missing == MissingPolicy::kCategory) out[1] = absent ? 1.0f : 0.0f;
        const double low = *schema_.min;
        const double high = *schema_.max;
        if (value < low || value > high) {
            ++clamped;
            value = value < low ? low : high;
        }
        double unit = schema_.scaling == Scaling::kLog1p
                          ? std::log1p(value - low) / std::log1p(high - low)
                          : (value - low) / (high - low);
        if (symmetric_) unit = 2 * unit - 1;
        out[0] = static_cast<float>(unit);
    }

    void encode_category(int32_t code, float* out) {
        auto at = static_cast<int64_t>(code);
        const auto declared = static_cast<int64_t>(schema_.categories.size());
        if (code == kMissingCode) {
            ++missing;
            at = schema_.missing == MissingPolicy::kCategory ? declared : impute_code_;
        } else if (code == kUnknownCode) {
            ++unknown;
            at = declared + (schema_.missing == MissingPolicy::kCategory ? 1 : 0);
        }
        out[at] = 1.0f;
    }

    const ColumnSchema& schema_;
    const Column& column_;
    int64_t offset_;
    bool symmetric_;
    double impute_ = 0;
    int32_t impute_code_ = 0;
};

// The column with codes that mean what the schema says, or an error.
void check_column(const ColumnSchema& schema, const Column& column, const std::string& source) {
    const auto refuse = [&](const std::string& what) {
        throw Error(ErrorCode::kInvalid, source + " column '" + column.name + "' " + what,
                    "read the file with the schema that encodes it");
    };
    const bool number = is_number(schema.kind) || schema.kind == ColumnKind::kTarget;
    if (number != (column.type == ColumnType::kNumber)) refuse("is not of the declared kind");
    if (number) {
        if (schema.missing == MissingPolicy::kRefuse && column.missing() > 0)
            refuse("has missing values, which its schema refuses");
        return;
    }
    if (column.type != ColumnType::kCategory) return;
    if (column.categories != schema.categories) refuse("has other categories than the schema");
    const auto highest = static_cast<int32_t>(schema.categories.size());
    for (int32_t code : column.codes) {
        const bool missing = code == kMissingCode && schema.missing != MissingPolicy::kRefuse;
        const bool unknown = code == kUnknownCode && schema.unknown == UnknownPolicy::kCategory;
        if (!missing && !unknown && (code < 0 || code >= highest))
            refuse("has missing or unknown values, which its schema refuses");
    }
}

void encode_answers(const Table& table, const Schema& schema, Dataset* data) {
    for (const ColumnSchema& declared : schema.columns) {
        const Column* column = table.find(declared.name);
        if (declared.kind == ColumnKind::kLabel) data->class_names = declared.categories;
        if (column == nullptr) continue;
        if (declared.kind == ColumnKind::kLabel) {
            check_column(declared, *column, table.source);
            data->labels.assign(column->codes.begin(), column->codes.end());
        } else if (declared.kind == ColumnKind::kTarget) {
            check_column(declared, *column, table.source);
            const TargetScale scale = target_scale(schema);
            for (double value : column->numbers)
                data->targets.push_back(static_cast<float>((value - scale.min) / scale.range));
        } else if (declared.kind == ColumnKind::kGroup) {
            data->groups = column->ids;
        }
    }
}

void set_shape(const Schema& schema, int64_t width, Dataset* data) {
    data->example_shape = schema.example_shape;
    if (data->example_shape.empty()) data->example_shape = {width};
    int64_t product = 1;
    for (int64_t dimension : data->example_shape) product *= dimension;
    if (product != width) {
        throw Error(ErrorCode::kInvalid, "schema example_shape has " + std::to_string(product) +
                                             " inputs, the columns give " + std::to_string(width));
    }
}

}  // namespace

std::string preprocessing_of(const Schema& schema) {
    return Json{{"ward_preprocessing", 1},
                {"kind", "table"},
                {"schema", Json::parse(schema_to_json(schema))}}
        .dump();
}

std::vector<std::string> feature_names(const Schema& schema) {
    std::vector<std::string> names;
    for (const ColumnSchema& column : schema.columns) {
        if (!is_input(column.kind)) continue;
        if (is_number(column.kind)) names.push_back(column.name);
        for (const std::string& category : column.categories)
            names.push_back(column.name + "=" + category);
        if (column.missing == MissingPolicy::kCategory) names.push_back(column.name + "=(missing)");
        if (column.kind == ColumnKind::kCategorical && column.unknown == UnknownPolicy::kCategory)
            names.push_back(column.name + "=(other)");
    }
    return names;
}

Encoded encode(const Table& table, const Schema& schema) {
    validate(schema);
    Encoded out;
    Dataset& data = out.data;
    int64_t width = 0;
    for (const ColumnSchema& column : schema.columns) width += width_of(column);
    if (width == 0) throw Error(ErrorCode::kInvalid, "the schema declares no input columns");
    set_shape(schema, width, &data);
    data.inputs.assign(static_cast<size_t>(table.rows * width), 0.0f);

    int64_t offset = 0;
    for (const ColumnSchema& declared : schema.columns) {
        if (!is_input(declared.kind)) continue;
        const Column* column = table.find(declared.name);
        if (column == nullptr) {
            throw Error(ErrorCode::kNotFound,
                        table.source + " has no column '" + declared.name + "'");
        }
        check_column(declared, *column, table.source);
        std::atomic<int64_t> clamped{0}, missing{0}, unknown{0}, first_clamped{kNoRow};
        parallel_for(0, table.rows, kRowGrain, [&](int64_t first, int64_t last) {
            ColumnEncoder encoder(declared, *column, offset, schema.symmetric_range);
            encoder.encode(first, last, width, data.inputs.data());
            clamped += encoder.clamped;
            missing += encoder.missing;
            unknown += encoder.unknown;
            int64_t earliest = first_clamped;
            while (encoder.first_clamped < earliest &&
                   !first_clamped.compare_exchange_weak(earliest, encoder.first_clamped)) {
            }
        });
        if (clamped > 0 && !out.first_clamped) {
            const double value = column->numbers[static_cast<size_t>(first_clamped.load())];
            out.first_clamped = {first_clamped, declared.name, value, *declared.min, *declared.max};
        }
        out.clamped_values += clamped;
        out.missing_values += missing;
        out.unknown_values += unknown;
        offset += width_of(declared);
    }
    encode_answers(table, schema, &data);
    data.name = schema.name;
    data.feature_names = feature_names(schema);
    data.preprocessing_json = preprocessing_of(schema);
    data.bounds_read_from_data = schema.bounds_from_data;
    data.digest = sha256_hex(table.digest + "\n" + data.preprocessing_json);
    return out;
}

TargetScale target_scale(const Schema& schema) {
    for (const ColumnSchema& column : schema.columns) {
        if (column.kind == ColumnKind::kTarget && column.min && column.max)
            return {*column.min, *column.max - *column.min};
    }
    return {};
}

TargetScale target_scale(const std::string& preprocessing_json) {
    const Json record = Json::parse(preprocessing_json, nullptr, false);
    if (!record.is_object() || record.value("kind", Json()) != Json("table")) return {};
    return target_scale(schema_of(preprocessing_json));
}

Schema schema_of(const std::string& preprocessing_json) {
    const auto refuse = [](const std::string& what) {
        throw Error(ErrorCode::kInvalid, "the preprocessing record " + what,
                    "it must come from a model that Ward trained on a table");
    };
    const Json record = Json::parse(preprocessing_json, nullptr, false);
    if (!record.is_object()) refuse("is not a JSON object");
    if (record.value("ward_preprocessing", Json()) != Json(1)) refuse("is not of version 1");
    if (record.value("kind", Json()) == Json("array")) {
        throw Error(ErrorCode::kInvalid,
                    "the model was trained on images or arrays, but the data are a table",
                    "give data of the kind the model was trained on");
    }
    if (record.value("kind", Json()) != Json("table")) refuse("is not for tables");
    if (!record.contains("schema")) refuse("holds no schema");
    return parse_schema(record["schema"].dump(), "preprocessing record");
}

Encoded encode_with(const std::string& preprocessing_json, const Table& table) {
    return encode(table, schema_of(preprocessing_json));
}

}  // namespace ward::data
