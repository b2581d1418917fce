#include "ward/data/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/data/internal/date.h"
#include "ward/data/load.h"
#include "ward/data/table.h"

namespace ward::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char* const kExample = R"(ward_schema: 1
name: clinic
format: {delimiter: tab, header: false, skip_lines: 2, comment: "#", missing: [x, "-9"]}
files: {train: a.csv, test: b.csv}
range: [-1, 1]
columns:
  - {name: age, kind: integer, min: 0, max: 120}
  - name: income
    kind: numeric
    min: 0
    max: 1e6
    scaling: log1p
    missing: {impute: 20000}
  - name: smoker
    kind: categorical
    categories: [no, yes]
    aliases: {n: no}
    missing: category
    unknown: category
  - {name: pixel, repeat: 3, kind: integer, min: 0, max: 255}
  - {name: patient, kind: group}
  - {name: note, kind: ignored}
  - {name: sick, kind: label, classes: ["0", 1]}
)";

std::string parse_error(const std::string& text) {
    try {
        parse_schema(text, "s.yaml");
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kInvalid);
        return error.message() + " | " + error.hint();
    }
    ADD_FAILURE() << "expected an error for " << text;
    return {};
}

std::string with_columns(const std::string& columns) {
    return "ward_schema: 1\ncolumns:\n" + columns;
}

TEST(Schema, ReadsEveryKey) {
    const Schema schema = parse_schema(kExample, "s.yaml");
    EXPECT_EQ(schema.name, "clinic");
    EXPECT_EQ(schema.format.delimiter, '\t');
    EXPECT_FALSE(schema.format.header);
    EXPECT_EQ(schema.format.skip_lines, 2);
    EXPECT_EQ(schema.format.comment, '#');
    EXPECT_THAT(schema.format.missing, ElementsAre("x", "-9"));
    EXPECT_EQ(schema.test_file, "b.csv");
    EXPECT_TRUE(schema.symmetric_range);
    EXPECT_EQ(schema.columns.size(), 9u);
    EXPECT_EQ(schema.columns[1].scaling, Scaling::kLog1p);
    EXPECT_EQ(schema.columns[1].impute, "20000");
    EXPECT_THAT(schema.columns[2].categories, ElementsAre("no", "yes"));  // not booleans
    EXPECT_EQ(schema.columns[5].name, "pixel_2");
    EXPECT_THAT(schema.columns[8].categories, ElementsAre("0", "1"));
    EXPECT_EQ(schema.find(ColumnKind::kGroup), 6);
    EXPECT_EQ(schema.find("nothing"), -1);
}

TEST(Schema, SurvivesYamlAndJson) {
    const Schema schema = parse_schema(kExample, "s.yaml");
    const std::string json = schema_to_json(schema);
    EXPECT_EQ(schema_to_json(parse_schema(json, "s.json")), json);
    EXPECT_EQ(schema_to_json(parse_schema(schema_to_yaml(schema), "s.yaml")), json);
    const auto folder = std::filesystem::path(::testing::TempDir());
    for (const char* name : {"ward_schema_test.json", "ward_schema_test.yaml"}) {
        write_schema(schema, (folder / name).string());
        EXPECT_EQ(schema_to_json(read_schema((folder / name).string())), json);
    }
    EXPECT_EQ(schema_to_json(parse_schema("\n {\t\"ward_schema\": 1,\n\t\"columns\": [\t{\"name\": "
                                          "\"x\",\n\t\t\"kind\": \"group\"}]}",
                                          "tabs.json")),
              schema_to_json(parse_schema(with_columns(" - {name: x, kind: group}"), "s")));
}

TEST(Schema, StrangeTextsSurvive) {
    Schema schema;
    ColumnSchema column;
    column.name = "a: b";
    column.kind = ColumnKind::kCategorical;
    column.categories = {"true", "null", "1e3",      " x ",   "\"q\"",
                         "#",    "- a",  "\xc3\xa4", "tab\t", ""};
    schema.columns = {column};
    EXPECT_EQ(parse_schema(schema_to_yaml(schema), "y").columns[0].categories, column.categories);
    EXPECT_EQ(parse_schema(schema_to_json(schema), "j").columns[0].categories, column.categories);
    schema.columns[0].categories = {"caf\xe9"};  // Latin-1
    try {
        validate(schema);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.message(), HasSubstr("is not UTF-8"));
    }
}

TEST(SchemaErrors, NameFileAndLine) {
    EXPECT_THAT(parse_error("ward_schema: 1\ncolums: []\n"),
                HasSubstr("s.yaml line 2: unknown key 'colums' | known here: ward_schema, name"));
    EXPECT_THAT(parse_error("ward_schema: 1\nname: a\nname: b\n"), HasSubstr("given twice"));
    EXPECT_THAT(parse_error("ward_schema: 2\ncolumns: []"), HasSubstr("must be 1, got '2'"));
    EXPECT_THAT(parse_error("columns: []"), HasSubstr("ward_schema is missing"));
    EXPECT_THAT(parse_error("just text"), HasSubstr("is not a schema"));
    EXPECT_THAT(parse_error(""), HasSubstr("is not a schema"));
    EXPECT_THAT(parse_error("a: [1, 2"), HasSubstr("s.yaml line"));
    EXPECT_THAT(parse_error(std::string(2000, '[')), HasSubstr("s.yaml"));
    EXPECT_THAT(parse_error("ward_schema: 1\nfiles: {train: ../x.csv}\n"),
                HasSubstr("line 2: expected a file name without folders"));
    EXPECT_THAT(parse_error("ward_schema: 1\nrange: [0, 2]\n"), HasSubstr("[0, 1] or [-1, 1]"));
    EXPECT_THAT(parse_error("ward_schema: 1\nexample_shape: [0]\n"), HasSubstr("from 1 to"));
    EXPECT_THAT(parse_error("ward_schema: 1\nbounds_from_data: maybe\n"),
                HasSubstr("true or false"));
    EXPECT_THAT(parse_error("ward_schema: 1\nformat: {delimiter: ab}\n"),
                HasSubstr("expected one character"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: numerical}")),
                HasSubstr("line 3: unknown kind 'numerical' | known: numeric, integer"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: numeric, min: x, max: 1}")),
                HasSubstr("expected a finite number, got 'x'"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: numeric, min: .inf, max: 1}")),
                HasSubstr("finite number"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, repeat: 70000, kind: group}")),
                HasSubstr("from 1 to 65536"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: numeric, missing: zero}")),
                HasSubstr("refuse, category or {impute: VALUE}"));
    EXPECT_THAT(parse_error(with_columns(" - {kind: group}")), HasSubstr("needs a name"));
}

TEST(SchemaErrors, NameTheColumn) {
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: numeric}")),
                HasSubstr("s.yaml: schema column 'a': min and max must be declared | declare what "
                          "is possible"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: integer, min: 3, max: 3}")),
                HasSubstr("min must be below max"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: categorical}")),
                HasSubstr("categories must be declared"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: categorical, categories: [x, x]}")),
                HasSubstr("'x' is declared twice"));
    EXPECT_THAT(parse_error(with_columns(
                    " - {name: a, kind: categorical, categories: [x], aliases: {y: z}}")),
                HasSubstr("alias 'y' stands for 'z', which is not among"));
    EXPECT_THAT(parse_error(with_columns(
                    " - {name: a, kind: categorical, categories: [x], missing: {impute: y}}")),
                HasSubstr("impute must be one of the categories"));
    EXPECT_THAT(parse_error(with_columns(
                    " - {name: a, kind: numeric, min: 0, max: 1, missing: {impute: y}}")),
                HasSubstr("impute must be a number"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: label, classes: [x]}")),
                HasSubstr("two classes or more"));
    EXPECT_THAT(
        parse_error(with_columns(" - {name: a, kind: label, classes: [x, y], missing: category}")),
        HasSubstr("cannot be missing"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: group}\n - {name: a, kind: ignored}")),
                HasSubstr("declared twice"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: target}\n - {name: b, kind: target}")),
                HasSubstr("more than one label or target"));
    EXPECT_THAT(parse_error(with_columns(" - {name: a, kind: group}\n - {name: b, kind: group}")),
                HasSubstr("more than one group"));
}

TEST(Schema, ShippedOnesAreValidAndDeclareTheirBounds) {
    int found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(builtin_folder() + "/schemas")) {
        const Schema schema = read_schema(entry.path().string());
        EXPECT_FALSE(schema.bounds_from_data) << entry.path();
        EXPECT_GE(schema.find(ColumnKind::kLabel), 0) << entry.path();
        ++found;
    }
    EXPECT_EQ(found, 6);
}

TEST(InferSchema, MarksItselfAndCoversTheRows) {
    Table table;
    table.source = "t.csv";
    table.rows = 3;
    Column number{"n", ColumnType::kNumber, {1, 2.5, -3}, {}, {}, {}};
    Column constant{"k", ColumnType::kNumber, {7, 7, NAN}, {}, {}, {}};
    Column text{"t", ColumnType::kCategory, {}, {1, 0, kMissingCode}, {}, {"b", "a"}};
    Column label{"y", ColumnType::kCategory, {}, {0, 1, 0}, {}, {"no", "yes"}};
    table.columns = {number, constant, text, label};
    const Schema schema = infer_schema(table, "y");
    validate(schema);
    EXPECT_TRUE(schema.bounds_from_data);
    EXPECT_EQ(schema.columns[0].min, -3);
    EXPECT_EQ(schema.columns[0].max, 2.5);
    EXPECT_EQ(schema.columns[0].kind, ColumnKind::kNumeric);
    EXPECT_EQ(schema.columns[1].kind, ColumnKind::kInteger);
    EXPECT_EQ(schema.columns[1].missing, MissingPolicy::kCategory);
    EXPECT_THAT(schema.columns[2].categories, ElementsAre("a", "b"));
    EXPECT_EQ(schema.columns[3].kind, ColumnKind::kLabel);
    EXPECT_THAT(schema_to_yaml(schema), HasSubstr("READ FROM THE DATA"));
    EXPECT_TRUE(parse_schema(schema_to_yaml(schema), "s").bounds_from_data);
    EXPECT_THROW(infer_schema(table, "nope"), Error);
    EXPECT_EQ(infer_schema(table, "y", 1 + 1).columns[2].kind, ColumnKind::kCategorical);
    EXPECT_THROW(infer_schema(table, "y", 1), Error);
}

Column numbers_column(const std::string& name, int rows, int step, int period) {
    Column column{name, ColumnType::kNumber, {}, {}, {}, {}};
    for (int i = 0; i < rows; ++i) column.numbers.push_back(1000 + step * (i % period));
    return column;
}

Column text_column(const std::string& name, const std::vector<std::string>& categories, int rows) {
    Column column{name, ColumnType::kCategory, {}, {}, {}, categories};
    for (int i = 0; i < rows; ++i)
        column.codes.push_back(i % static_cast<int32_t>(categories.size()));
    return column;
}

TEST(InferSchema, LeavesOutIdsAndDatesAndSaysWhy) {
    std::vector<std::string> names;
    for (int i = 0; i < 40; ++i) names.push_back("n" + std::to_string(i));
    Table table;
    table.rows = 40;
    table.columns = {
        numbers_column("id", 40, 3, 40),   numbers_column("nearly", 40, 3, 39),
        numbers_column("age", 40, 3, 30),  numbers_column("born", 40, 0, 1),
        text_column("name", names, 40),    text_column("day", {"2024-01-31", "1/2/24"}, 40),
        text_column("sex", {"f", "m"}, 40)};
    for (double& number : table.columns[3].numbers) number = 20240131;
    table.columns.push_back(numbers_column("real", 40, 3, 40));
    for (double& number : table.columns.back().numbers) number += 0.5;
    const Schema schema = infer_schema(table, "");
    const auto kind = [&](size_t i) { return schema.columns[i].kind; };
    for (size_t i : {0, 1, 3, 4, 5}) {
        EXPECT_EQ(kind(i), ColumnKind::kIgnored) << i;
        EXPECT_THAT(schema.columns[i].comment, HasSubstr("left out: ")) << i;
    }
    EXPECT_EQ(kind(2), ColumnKind::kInteger);
    EXPECT_EQ(kind(6), ColumnKind::kCategorical);
    EXPECT_EQ(kind(7), ColumnKind::kNumeric);  // a real number may well differ in every row
    const std::string yaml = schema_to_yaml(schema);
    EXPECT_THAT(yaml, HasSubstr("kind: ignored  # left out: dates"));
    EXPECT_EQ(schema_to_json(parse_schema(yaml, "y")), schema_to_json(schema));
    table.columns.resize(1);
    table.columns[0].numbers.resize(10);
    table.rows = 10;  // too few rows to tell
    EXPECT_EQ(infer_schema(table, "").columns[0].kind, ColumnKind::kInteger);
}

TEST(InferSchema, ColumnsNamedAfterPersonsAreProposedAsGroups) {
    Table table;
    table.rows = 60;
    for (const char* name : {"patient_nbr", "customerId", "SSN", "nbrs", "paid", "identity"})
        table.columns.push_back(numbers_column(name, 60, 3, 30));
    table.columns.push_back(text_column("user", {"ann", "bob", "cleo", "dan", "eve", "fay"}, 60));
    const Schema schema = infer_schema(table, "");
    for (size_t i : {0, 1, 2, 6}) {
        EXPECT_EQ(schema.columns[i].kind, ColumnKind::kIgnored) << i;
        EXPECT_THAT(schema.columns[i].comment, HasSubstr("`kind: group`")) << i;
    }
    for (size_t i : {3, 4, 5}) EXPECT_EQ(schema.columns[i].kind, ColumnKind::kInteger) << i;
}

TEST(Dates, AsPeopleWriteThem) {
    for (const char* text : {"2024-05-31", "2024/5/1", "2024.05.31", "2024-05-31T12:30:00Z",
                             "2024-05-31 12:30", "31/5/2024", "5/31/2024", "31.5.24", "1-2-2003"})
        EXPECT_TRUE(internal::is_date(text)) << text;
    for (const char* text : {"", "2024", "2024-13-01", "32/1/2024", "13/13/2024", "1/2", "1/2/3",
                             "1.2.3.4", "2024-05/31", "2024-05-31x", "a/b/c", "12:30"})
        EXPECT_FALSE(internal::is_date(text)) << text;
    EXPECT_TRUE(internal::is_compact_date(20240531));
    EXPECT_FALSE(internal::is_compact_date(20241331));
    EXPECT_FALSE(internal::is_compact_date(20240531.5));
}

}  // namespace
}  // namespace ward::data
