#include "ward/data/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/data/dataset.h"

namespace ward::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kShared = std::filesystem::path(WARD_SHARED_DIR) / "data";

LoadRequest request_for(const std::string& data, const std::string& split = "train") {
    LoadRequest request;
    request.data = data;
    request.split = split;
    return request;
}

Dataset load(const std::string& data, const std::string& split = "train") {
    return load_dataset(request_for(data, split)).dataset;
}

int64_t count_label(const Dataset& data, int64_t label) {
    return std::count(data.labels.begin(), data.labels.end(), label);
}

std::filesystem::path scratch_folder(const std::string& name) {
    const auto folder = std::filesystem::path(::testing::TempDir()) / "ward_load_test" / name;
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    return folder;
}

template <typename Call>
std::string error_of(Call call, ErrorCode code) {
    try {
        call();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.message();
        return error.message() + " | " + error.hint();
    }
    ADD_FAILURE() << "expected an error";
    return {};
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
