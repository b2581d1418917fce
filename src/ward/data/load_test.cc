#include "ward/data/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/testing/errors.h"
#include "ward/data/dataset.h"
#include "ward/data/describe.h"
#include "ward/data/testing/load_helpers.h"

namespace ward::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testonly::error_of;

const std::filesystem::path kShared = std::filesystem::path(WARD_SHARED_DIR) / "data";

int64_t count_label(const Dataset& data, int64_t label) {
    return std::count(data.labels.begin(), data.labels.end(), label);
}

TEST(Builtin, DigitsAreImagesInZeroOne) {
    const Dataset all = load("digits", "all");
    EXPECT_EQ(all.size(), 1797);
    EXPECT_THAT(all.example_shape, ElementsAre(1, 8, 8));
    EXPECT_EQ(all.class_names.size(), 10u);
    EXPECT_EQ(*std::max_element(all.inputs.begin(), all.inputs.end()), 1.0f);
    EXPECT_EQ(*std::min_element(all.inputs.begin(), all.inputs.end()), 0.0f);
    EXPECT_EQ(all.inputs[2], 5.0f / 16);  // first row: 0,0,5,13,...
    EXPECT_FALSE(all.bounds_read_from_data);
}

TEST(Builtin, BreastCancerHasItsClasses) {
    const Dataset all = load("breast-cancer", "all");
    EXPECT_EQ(all.size(), 569);
    EXPECT_EQ(all.example_size(), 30);
    EXPECT_THAT(all.class_names, ElementsAre("malignant", "benign"));
    EXPECT_EQ(count_label(all, 0), 212);
    EXPECT_EQ(count_label(all, 1), 357);
    const LoadedData loaded = load_dataset(request_for("breast-cancer", "all"));
    for (const std::string& note : loaded.notes) EXPECT_THAT(note, Not(HasSubstr("clamped")));
}

TEST(Builtin, PartsAreDisjointCompleteAndStable) {
    const Dataset train = load("digits", "train");
    const Dataset test = load("digits", "test");
    EXPECT_EQ(train.size() + test.size(), 1797);
    EXPECT_NEAR(static_cast<double>(test.size()), 0.2 * 1797, 4 * std::sqrt(1797 * 0.16));
    std::set<std::vector<float>> seen;
    for (int64_t i = 0; i < train.size(); ++i)
        seen.emplace(train.inputs.begin() + i * 64, train.inputs.begin() + (i + 1) * 64);
    for (int64_t i = 0; i < test.size(); ++i)
        EXPECT_FALSE(
            seen.contains({test.inputs.begin() + i * 64, test.inputs.begin() + (i + 1) * 64}));
    EXPECT_NE(train.digest, test.digest);
    EXPECT_EQ(train.digest, load("digits", "train").digest);
    LoadRequest other = request_for("digits", "test");
    other.split_seed = 7;
    EXPECT_NE(load_dataset(other).dataset.inputs, test.inputs);
}

TEST(Builtin, FolderCanBeChosenAndItsAbsenceIsExplained) {
    const std::string right = builtin_folder();
    ::setenv("WARD_DATA_DIR", "/nonexistent", 1);
    EXPECT_THAT(error_of([] { load("digits"); }, ErrorCode::kNotFound),
                HasSubstr("looked in /nonexistent"));
    ::setenv("WARD_DATA_DIR", right.c_str(), 1);
    EXPECT_EQ(load("digits", "all").size(), 1797);
    ::unsetenv("WARD_DATA_DIR");
}

// A table of 400 rows of 100 people, and a folder to put things into.
struct Clinic {
    explicit Clinic(const std::string& name) : folder(scratch_folder(name)) {
        std::string text = "patient,age,smoker,sick\n";
        for (int i = 0; i < 400; ++i) {
            text += 'p';
            text += std::to_string(i % 100) + "," + std::to_string(20 + i % 60) + "," +
                    (i % 3 == 0 ? "yes" : "no") + "," + (i % 2 == 0 ? "1" : "0") + "\n";
        }
        write_file_atomically(csv, std::string_view(text));
    }
    std::filesystem::path folder;
    std::string csv = folder / "clinic.csv";
};

const char* const kClinicSchema = R"(ward_schema: 1
files: {train: clinic.csv}
columns:
  - {name: patient, kind: group}
  - {name: age, kind: integer, min: 0, max: 120}
  - {name: smoker, kind: categorical, categories: ["no", "yes"]}
  - {name: sick, kind: label, classes: ["0", "1"]}
)";

TEST(Table, GroupsStayOnOneSideAndFolderSchemasAreFound) {
    const Clinic clinic("groups");
    write_file_atomically(clinic.folder / "schema.yaml", std::string_view(kClinicSchema));
    const Dataset train = load(clinic.folder);
    const Dataset test = load(clinic.folder, "test");
    EXPECT_EQ(train.size() + test.size(), 400);
    EXPECT_EQ(train.example_size(), 3);
    EXPECT_EQ(train.name, "clinic");
    const std::set<int64_t> people(train.groups.begin(), train.groups.end());
    EXPECT_GT(test.size(), 20);
    for (int64_t person : test.groups) EXPECT_FALSE(people.contains(person));
}

TEST(Table, OptionsOverruleTheSchema) {
    const Clinic clinic("overrule");
    const std::string schema = clinic.folder / "s.yaml";
    write_file_atomically(schema, std::string_view(kClinicSchema));
    LoadRequest request = request_for(clinic.csv, "all");
    request.schema = schema;
    request.label = "smoker";
    const Dataset data = load_dataset(request).dataset;
    EXPECT_THAT(data.class_names, ElementsAre("no", "yes"));
    EXPECT_THAT(data.feature_names, ElementsAre("age", "sick=0", "sick=1"));
    request.label = "age";
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kInvalid),
                HasSubstr("column 'age' is the label but declares no classes"));
    request.label = "nope";
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kNotFound),
                HasSubstr("no column 'nope'"));
    request.label.clear();
    request.delimiter = ';';
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kNotFound),
                HasSubstr("is the delimiter ','? (--delimiter)"));
}

TEST(Table, ValuesOutsideTheBoundsAreMovedWithANoteOrRefusedByPlace) {
    const std::string folder = ::testing::TempDir() + "/ward_out_of_bounds";
    std::filesystem::create_directories(folder);
    write_file_atomically(folder + "/t.csv", std::string_view("a,b\n1,5\n2,6\n3,-1\n4,11\n"));
    write_file_atomically(
        folder + "/t.yaml",
        std::string_view("ward_schema: 1\nname: t\ncolumns:\n  - {name: a, kind: numeric, min: 0, "
                         "max: 9}\n  - {name: b, kind: numeric, min: 0, max: 10}\n"));
    LoadRequest request = request_for(folder + "/t.csv", "all");
    request.schema = folder + "/t.yaml";
    request.labels_required = false;
    const LoadedData moved = load_dataset(request);
    EXPECT_EQ(moved.dataset.inputs[5], 0);
    EXPECT_EQ(moved.dataset.inputs[7], 1);
    EXPECT_THAT(moved.notes, ::testing::Contains(HasSubstr("2 values lay outside")));
    request.clamp = false;
    const std::string refused = error_of([&] { load_dataset(request); }, ErrorCode::kInvalid);
    EXPECT_THAT(refused, HasSubstr("t.csv row 2, column 'b': -1 is outside the declared bounds 0 "
                                   "to 10; of such values there are 2"));
    write_file_atomically(folder + "/t.csv", std::string_view("a,b\n0,10\n9,0\n"));
    EXPECT_EQ(load_dataset(request).dataset.size(), 2);
    std::filesystem::remove_all(folder);
}

TEST(Table, WithoutSchemaBoundsAreReadOnlyWhenAskedAndMarked) {
    const Clinic clinic("infer");
    LoadRequest request = request_for(clinic.csv);
    request.label = "sick";
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kInvalid),
                AllOf(HasSubstr("has no schema: bounds and categories must be declared"),
                      HasSubstr("--write-schema")));
    request.bounds_from_data = true;
    const LoadedData loaded = load_dataset(request);
    EXPECT_TRUE(loaded.dataset.bounds_read_from_data);
    EXPECT_THAT(loaded.notes.back(), HasSubstr("read from the rows"));
    request.label.clear();
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kInvalid),
                HasSubstr("no column is declared as the label"));
}

TEST(Table, TheModelsRecordEncodesNewRows) {
    const Clinic clinic("record");
    write_file_atomically(clinic.folder / "schema.yaml", std::string_view(kClinicSchema));
    const Dataset train = load(clinic.folder);
    const std::string rows = clinic.folder / "new.csv";
    write_file_atomically(rows, std::string_view("smoker,age,patient\nyes,60,x\n"));
    LoadRequest request = request_for(rows, "all");
    request.preprocessing_json = train.preprocessing_json;
    request.labels_required = false;
    EXPECT_THAT(load_dataset(request).dataset.inputs, ElementsAre(0.5f, 0, 1));

    // Outcome not known yet, no patient id: fine for all rows, but the split is by patient.
    write_file_atomically(rows, std::string_view("smoker,age,sick\nyes,60,\n"));
    EXPECT_THAT(load_dataset(request).dataset.inputs, ElementsAre(0.5f, 0, 1));
    request.split = "test";
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kInvalid),
                HasSubstr("lacks the group column"));
}

TEST(Table, RowsOfAGroupBeyondTheLimitAreDropped) {
    const auto file = (scratch_folder("groups") / "visits.csv").string();
    write_file_atomically(file, std::string_view("who,age,y\na,1,0\na,2,1\nb,3,0\na,4,1\n"));
    LoadRequest request = request_for(file, "all");
    request.bounds_from_data = true;
    request.label = "y";
    request.max_per_group = 2;
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kUsage),
                HasSubstr("no column of " + file + " is the group"));
    request.group = "who";
    const LoadedData some = load_dataset(request);
    EXPECT_EQ(some.dataset.labels, (std::vector<int64_t>{0, 1, 0}));
    EXPECT_THAT(some.notes.back(), HasSubstr("1 of 4 rows were dropped"));
    request.max_per_group = 0;
    EXPECT_EQ(load_dataset(request).dataset.size(), 4);
    EXPECT_NE(load_dataset(request).dataset.digest, some.dataset.digest);
}

TEST(Table, AShippedSchemaIsUsedForItsOwnRowsOnly) {
    const auto folder = scratch_folder("namesake");
    const std::string file = (folder / "framingham.csv").string();
    write_file_atomically(file, std::string_view("age,sick\n50,0\n60,1\n"));
    const auto load_it = [&] { load(file, "all"); };
    const std::string error = error_of(load_it, ErrorCode::kInvalid);
    EXPECT_THAT(error, HasSubstr("has no schema"));
    EXPECT_THAT(error, HasSubstr("framingham.yaml goes by the file's name but was not used: the "
                                 "header has no column 'male'"));
    EXPECT_THAT(describe(request_for(file)).problems, ElementsAre(HasSubstr("was not used")));
    LoadRequest request = request_for(file, "all");
    request.bounds_from_data = true;
    request.label = "sick";
    EXPECT_THAT(load_dataset(request).notes, ::testing::Contains(HasSubstr("was not used")));
    // Without a header the number of fields decides.
    write_file_atomically((folder / "adult.data").string(), std::string_view("1,2,3\n"));
    EXPECT_THAT(
        error_of([&] { load((folder / "adult.data").string(), "all"); }, ErrorCode::kInvalid),
        HasSubstr("the first row has 3 fields, the schema 15"));
}

TEST(Describe, WritesTheGroupThatWasAskedForAsGroup) {
    const Clinic clinic("describe_group");
    LoadRequest request = request_for(clinic.csv);
    request.label = "sick";
    request.group = "patient";
    const Description seen = describe(request);
    EXPECT_EQ(seen.columns[0].kind, "group");
    EXPECT_EQ(seen.inferred.columns[0].kind, ColumnKind::kGroup);
    const std::string written = clinic.folder / "group.yaml";
    write_schema(seen.inferred, written);
    LoadRequest train = request_for(clinic.csv);
    train.schema = written;
    EXPECT_EQ(load_dataset(train).dataset.example_shape, (std::vector<int64_t>{4}));
    EXPECT_FALSE(load_dataset(train).dataset.groups.empty());
    request.group = "age";  // a number, which would otherwise become an input
    EXPECT_EQ(describe(request).inferred.columns[1].kind, ColumnKind::kGroup);
    request.group = "nobody";
    EXPECT_THAT(error_of([&] { describe(request); }, ErrorCode::kNotFound), HasSubstr("'nobody'"));
    request.group = "sick";
    error_of([&] { describe(request); }, ErrorCode::kUsage);
}

Bytes npy_file(const std::string& descr, const std::string& shape, const void* data, size_t size) {
    std::string text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + "}";
    text.resize(118, ' ');
    const std::string start = std::string("\x93NUMPY\x01\0\x76\0", 10) + text;
    Bytes out(start.size() + size);
    std::copy(start.begin(), start.end(), out.begin());
    std::memcpy(out.data() + start.size(), data, size);
    return out;
}

TEST(Arrays, NpyPairsWithShapesNormalisationAndErrors) {
    const auto folder = scratch_folder("npy");
    std::vector<uint8_t> pixels(50 * 4 * 4 * 3);
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 7 + i / 48);
    std::vector<int32_t> labels(50);
    for (size_t i = 0; i < 50; ++i) labels[i] = static_cast<int32_t>(i % 3);
    const auto write = [&](const std::string& name, const Bytes& content) {
        write_file_atomically(folder / name, ByteView(content));
    };
    write("X.npy", npy_file("|u1", "(50, 4, 4, 3)", pixels.data(), pixels.size()));
    EXPECT_THAT(error_of([&] { load(folder); }, ErrorCode::kNotFound),
                HasSubstr("but not its labels y.npy"));
    write("y.npy", npy_file("<i4", "(50,)", labels.data(), 200));
    LoadRequest request = request_for(folder, "all");
    request.mean = {0.5, 0, 0};
    request.std = {2, 1, 1};
    const Dataset all = load_dataset(request).dataset;
    EXPECT_THAT(all.example_shape, ElementsAre(3, 4, 4));  // channels first
    EXPECT_NEAR(all.inputs[1], (pixels[3] / 255.0 - 0.5) / 2, 1e-6);
    EXPECT_NEAR(all.inputs[16], pixels[1] / 255.0, 1e-6);
    EXPECT_EQ(all.class_names.size(), 3u);
    EXPECT_TRUE(all.bounds_read_from_data);  // the greatest label says how many classes there are
    request.num_classes = 3;
    EXPECT_FALSE(load_dataset(request).dataset.bounds_read_from_data);
    EXPECT_EQ(load(folder).size() + load(folder, "test").size(), 50);

    LoadRequest evaluation = request_for(folder / "X.npy", "test");
    evaluation.preprocessing_json = all.preprocessing_json;
    EXPECT_EQ(load_dataset(evaluation).dataset.preprocessing_json, all.preprocessing_json);

    request.std = {1};
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kUsage),
                HasSubstr("one value per channel (3)"));
    labels[7] = -1;
    write("y.npy", npy_file("<i4", "(50,)", labels.data(), 200));
    EXPECT_THAT(error_of([&] { load(folder); }, ErrorCode::kInvalid),
                HasSubstr("y.npy row 8: expected a class number from 0, got -1"));
    labels[7] = 1;
    write("y.npy", npy_file("<i4", "(49,)", labels.data(), 196));
    EXPECT_THAT(error_of([&] { load(folder); }, ErrorCode::kInvalid),
                HasSubstr("holds 50 examples, but"));
    const float bad[2] = {1, NAN};
    write("X.npy", npy_file("<f4", "(2, 1)", bad, 8));
    write("y.npy", npy_file("|u1", "(2,)", "\0\1", 2));
    EXPECT_THAT(error_of([&] { load(folder, "all"); }, ErrorCode::kInvalid),
                HasSubstr("X.npy row 2: expected finite numbers"));
}

TEST(LoadErrors, NamesSplitsAndFolders) {
    EXPECT_THAT(error_of([] { load("digitz"); }, ErrorCode::kNotFound),
                HasSubstr("is called 'digitz' | built in: digits, breast-cancer"));
    EXPECT_THAT(error_of([] { load("digits", "dev"); }, ErrorCode::kUsage),
                HasSubstr("split must be train, test or all, got 'dev'"));
    EXPECT_THAT(error_of([] { load(""); }, ErrorCode::kUsage), HasSubstr("no data given"));
    LoadRequest request = request_for("digits");
    request.test_fraction = 1;
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kUsage),
                HasSubstr("test fraction"));
    EXPECT_THAT(error_of([] { load(scratch_folder("empty")); }, ErrorCode::kNotFound),
                HasSubstr("found no data set in"));
    const auto folder = scratch_folder("half");
    write_file_atomically(folder / "train-images-idx3-ubyte",
                          ByteView(Bytes{0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}));
    write_file_atomically(folder / "train-labels-idx1-ubyte",
                          ByteView(Bytes{0, 0, 8, 1, 0, 0, 0, 0}));
    EXPECT_THAT(error_of([&] { load(folder); }, ErrorCode::kInvalid), HasSubstr("no examples"));
    EXPECT_THAT(error_of([&] { load(folder, "test"); }, ErrorCode::kNotFound),
                HasSubstr("holds no test part"));
}

TEST(Describe, CountsColumnsClassesAndProblems) {
    const Clinic clinic("describe");
    const std::string schema = clinic.folder / "s.yaml";
    std::string strict = kClinicSchema;
    strict.replace(strict.find("max: 120"), 8, "max: 70");
    strict.replace(strict.find("[\"no\", \"yes\"]"), 13, "[\"no\", \"si\"]");
    write_file_atomically(schema, std::string_view(strict));
    LoadRequest request = request_for(clinic.csv);
    request.schema = schema;
    const Description seen = describe(request);
    EXPECT_EQ(seen.parts[0].rows, 400);
    EXPECT_EQ(seen.parts[0].classes[0].count, 200);
    EXPECT_EQ(seen.columns[1].min, 20);
    EXPECT_EQ(seen.columns[1].max, 79);
    EXPECT_EQ(seen.columns[3].kind, "label");
    EXPECT_THAT(seen.problems,
                ElementsAre(HasSubstr("column age: 54 values are outside the declared bounds"),
                            HasSubstr("column smoker: 134 values are not among the declared")));
    EXPECT_TRUE(seen.inferred.bounds_from_data);

    const std::string written = clinic.folder / "written.yaml";
    write_schema(seen.inferred, written);
    request.schema = written;
    const Dataset data = load_dataset(request).dataset;
    EXPECT_TRUE(data.bounds_read_from_data);
    EXPECT_EQ(describe(request_for("digits")).parts[0].rows, 1797);
    const Description cancer = describe(request_for("breast-cancer"));
    EXPECT_EQ(cancer.parts[0].classes[0].value, "malignant");
    EXPECT_EQ(cancer.parts[0].classes[0].count, 212);
    EXPECT_TRUE(cancer.problems.empty());
}

TEST(RealData, MnistAndFashionMnist) {
    if (!std::filesystem::exists(kShared / "mnist")) GTEST_SKIP();
    const Dataset test = load(kShared / "mnist", "test");
    EXPECT_EQ(test.name, "mnist");
    EXPECT_EQ(test.size(), 10000);
    EXPECT_THAT(test.example_shape, ElementsAre(1, 28, 28));
    EXPECT_EQ(count_label(test, 0), 980);  // published class counts of the test set
    EXPECT_EQ(count_label(test, 1), 1135);
    EXPECT_NEAR(test.inputs[0], -0.1307 / 0.3081, 1e-6);
    const Dataset fashion = load(kShared / "fashion-mnist", "test");
    EXPECT_EQ(fashion.name, "fashion-mnist");
    EXPECT_EQ(fashion.class_names[9], "Ankle boot");
    EXPECT_EQ(count_label(fashion, 3), 1000);
    EXPECT_NE(test.digest, fashion.digest);
}

TEST(RealData, MnistTrainPart) {
    if (!std::filesystem::exists(kShared / "mnist")) GTEST_SKIP();
    const Dataset train = load(kShared / "mnist");
    EXPECT_EQ(train.size(), 60000);
    EXPECT_EQ(count_label(train, 5), 5421);
    double sum = 0;
    for (float x : train.inputs) sum += x;
    EXPECT_NEAR(sum / static_cast<double>(train.inputs.size()), 0, 1e-3);  // normalised
}

TEST(RealData, Cifar) {
    if (!std::filesystem::exists(kShared / "cifar10")) GTEST_SKIP();
    const Dataset test = load(kShared / "cifar10", "test");
    EXPECT_EQ(test.size(), 2000);
    EXPECT_THAT(test.example_shape, ElementsAre(3, 32, 32));
    EXPECT_EQ(count_label(test, 4), 200);
    EXPECT_EQ(test.class_names[6], "frog");
}

TEST(RealData, AdultHasItsRowsAndOneHotFeatures) {
    if (!std::filesystem::exists(kShared / "adult")) GTEST_SKIP();
    const LoadedData train = load_dataset(request_for(kShared / "adult"));
    EXPECT_EQ(train.dataset.size(), 32561);
    EXPECT_EQ(train.dataset.example_size(), 108);
    EXPECT_EQ(train.dataset.feature_names.size(), 108u);
    EXPECT_EQ(count_label(train.dataset, 1), 7841);
    EXPECT_FALSE(train.dataset.bounds_read_from_data);
    const Dataset test = load(kShared / "adult", "test");
    EXPECT_EQ(test.size(), 16281);
    EXPECT_EQ(count_label(test, 1), 3846);
    EXPECT_EQ(load(kShared / "adult" / "adult.data", "test").digest, test.digest);
    EXPECT_THAT(train.notes[0], HasSubstr("adult.yaml"));
    EXPECT_EQ(load(kShared / "adult", "all").size(), 32561 + 16281);
}

TEST(RealData, TablesWithShippedSchemas) {
    if (!std::filesystem::exists(kShared / "medical")) GTEST_SKIP();
    const Dataset heart = load(kShared / "medical" / "framingham.csv", "all");
    EXPECT_EQ(heart.size(), 4238);
    EXPECT_EQ(count_label(heart, 1), 644);
    const Dataset credit = load(kShared / "credit-default", "all");
    EXPECT_EQ(credit.size(), 30000);
    EXPECT_EQ(count_label(credit, 1), 6636);
    const Dataset bank = load(kShared / "bank-marketing", "all");
    EXPECT_EQ(bank.size(), 41188);
    EXPECT_EQ(count_label(bank, 1), 4640);
}

}  // namespace
}  // namespace ward::data
