#include "ward/data/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/data/csv.h"

namespace ward::data {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::HasSubstr;
using ::testing::Pointwise;

const char* const kSchema = R"(ward_schema: 1
name: small
columns:
  - {name: age, kind: integer, min: 0, max: 100, missing: category}
  - {name: gain, kind: numeric, min: -1, max: 8, scaling: log1p, missing: {impute: 2}}
  - {name: city, kind: categorical, categories: [Rome, Bonn], missing: category, unknown: category}
  - {name: sex, kind: categorical, categories: [f, m], missing: {impute: m}}
  - {name: who, kind: group}
  - {name: y, kind: label, classes: ["no", "yes"]}
)";

const std::string kRows =
    "age,gain,city,sex,who,y\n"
    "50,8,Rome,f,1,yes\n"
    ",,?,,2,no\n"
    "150,-7,Oslo,m,1,yes\n";

Table read(const std::string& rows, const Schema& schema, CsvOptions options = {}) {
    return parse_csv({reinterpret_cast<const uint8_t*>(rows.data()), rows.size()}, "rows.csv",
                     schema, options);
}

TEST(Encode, ByHandOnThreeRows) {
    const Schema schema = parse_schema(kSchema, "s");
    const Encoded encoded = encode(read(kRows, schema), schema);
    const float log_of_two = static_cast<float>(std::log1p(3.0) / std::log1p(9.0));
    EXPECT_THAT(encoded.data.feature_names,
                ElementsAre("age", "age=(missing)", "gain", "city=Rome", "city=Bonn",
                            "city=(missing)", "city=(other)", "sex=f", "sex=m"));
    const std::vector<float> expected = {0.5f, 0, 1,          1, 0, 0, 0, 1, 0,  //
                                         0,    1, log_of_two, 0, 0, 1, 0, 0, 1,  //
                                         1,    0, 0,          0, 0, 0, 1, 0, 1};
    EXPECT_THAT(encoded.data.inputs, Pointwise(FloatEq(), expected));
    EXPECT_THAT(encoded.data.labels, ElementsAre(1, 0, 1));
    EXPECT_THAT(encoded.data.groups, ElementsAre(1, 2, 1));
    EXPECT_EQ(encoded.clamped_values, 2);
    ASSERT_TRUE(encoded.first_clamped);  // of the first column, though row 2 of another is outside
    EXPECT_EQ(encoded.first_clamped->row, 2);
    EXPECT_EQ(encoded.first_clamped->column, "age");
    EXPECT_EQ(encoded.first_clamped->value, 150);
    EXPECT_EQ(encoded.first_clamped->max, 100);
    EXPECT_EQ(encoded.missing_values, 4);
    EXPECT_EQ(encoded.unknown_values, 1);
    EXPECT_EQ(encoded.data.name, "small");
    EXPECT_FALSE(encoded.data.bounds_read_from_data);
}

TEST(Encode, SymmetricRangeAndShape) {
    Schema schema = parse_schema(
        "ward_schema: 1\nrange: [-1, 1]\nexample_shape: [1, 2, 2]\nbounds_from_data: true\n"
        "columns:\n - {name: p, repeat: 4, kind: numeric, min: 0, max: 4}\n"
        " - {name: t, kind: target}\n",
        "s");
    const Encoded encoded = encode(read("p_0,p_1,p_2,p_3,t\n0,1,2,4,-7.5\n", schema), schema);
    EXPECT_THAT(encoded.data.inputs, ElementsAre(-1, -0.5f, 0, 1));
    EXPECT_THAT(encoded.data.targets, ElementsAre(-7.5f));
    EXPECT_THAT(encoded.data.example_shape, ElementsAre(1, 2, 2));
    EXPECT_TRUE(encoded.data.bounds_read_from_data);
    schema.example_shape = {5};
    EXPECT_THROW(encode(read("p_0,p_1,p_2,p_3,t\n0,1,2,4,-7.5\n", schema), schema), Error);
}

TEST(Encode, TargetsWithBoundsAreScaledAndComeBack) {
    const Schema schema = parse_schema(
        "ward_schema: 1\ncolumns:\n - {name: x, kind: numeric, min: 0, max: 1}\n"
        " - {name: price, kind: target, min: 100000, max: 500000}\n",
        "s");
    const Encoded encoded = encode(read("x,price\n0,100000\n1,400000\n0,900000\n", schema), schema);
    EXPECT_THAT(encoded.data.targets, ElementsAre(0.0f, 0.75f, 2.0f));
    const TargetScale scale = target_scale(encoded.data.preprocessing_json);
    EXPECT_EQ(scale.min + scale.range * 0.75, 400000);
    EXPECT_EQ(target_scale(std::string()).range, 1);
    EXPECT_THROW(
        parse_schema("ward_schema: 1\ncolumns:\n - {name: t, kind: target, min: 3}\n", "s"), Error);
}

TEST(Encode, PreprocessingAppliesToNewRowsWithoutLabels) {
    const Schema schema = parse_schema(kSchema, "s");
    const Encoded trained = encode(read(kRows, schema), schema);
    const std::string& record = trained.data.preprocessing_json;
    CsvOptions options;
    options.labels_required = false;
    const Table rows = read("sex,city,who,gain,age\nf,Rome,1,8,50\n", schema_of(record), options);
    const Encoded again = encode_with(record, rows);
    EXPECT_EQ(again.data.preprocessing_json, record);
    EXPECT_TRUE(std::equal(again.data.inputs.begin(), again.data.inputs.end(),
                           trained.data.inputs.begin()));
    EXPECT_TRUE(again.data.labels.empty());
    EXPECT_THAT(again.data.class_names, ElementsAre("no", "yes"));
}

TEST(Encode, SameForAnyThreadCount) {
    const Schema schema = parse_schema(kSchema, "s");
    std::string rows = "age,gain,city,sex,who,y\n";
    for (int i = 0; i < 20000; ++i)
        rows += std::to_string(i % 120) + ",1.5," + (i % 3 == 0 ? "Rome" : "Oslo") + ",f,1,no\n";
    const Table table = read(rows, schema);
    set_num_threads(1);
    const Encoded one = encode(table, schema);
    set_num_threads(4);
    const Encoded four = encode(table, schema);
    set_num_threads(2);
    EXPECT_EQ(one.data.inputs, four.data.inputs);
    EXPECT_EQ(one.clamped_values, four.clamped_values);
    EXPECT_EQ(one.data.digest, four.data.digest);
}

TEST(EncodeErrors, TablesThatDoNotFitAndDamagedRecords) {
    const Schema schema = parse_schema(kSchema, "s");
    const Table table = read(kRows, schema);
    const auto error_of = [](auto call) -> std::string {
        try {
            call();
        } catch (const Error& error) {
            return error.message();
        }
        return "no error";
    };
    Table lacking = table;
    lacking.columns.erase(lacking.columns.begin());
    EXPECT_THAT(error_of([&] { encode(lacking, schema); }), HasSubstr("has no column 'age'"));
    Table other = table;
    other.columns[2].categories = {"Bonn", "Rome"};
    EXPECT_THAT(error_of([&] { encode(other, schema); }), HasSubstr("other categories"));
    Table wrong = table;
    wrong.columns[2].codes[0] = 77;
    EXPECT_THAT(error_of([&] { encode(wrong, schema); }), HasSubstr("refuses"));
    Schema strict = schema;
    strict.columns[0].missing = MissingPolicy::kRefuse;
    EXPECT_THAT(error_of([&] { encode(table, strict); }), HasSubstr("has missing values"));
    for (const char* record : {"", "[]", "{}", "{\"ward_preprocessing\":1,\"kind\":\"table\"}",
                               "{\"ward_preprocessing\":1,\"kind\":\"table\",\"schema\":5}"}) {
        EXPECT_THAT(error_of([&] { encode_with(record, table); }),
                    HasSubstr("preprocessing record"))
            << record;
    }
    EXPECT_THAT(error_of([&] { encode_with(R"({"ward_preprocessing":1,"kind":"array"})", table); }),
                HasSubstr("trained on images or arrays, but the data are a table"));
}

}  // namespace
}  // namespace ward::data
