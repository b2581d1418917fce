// Image folders and LIBSVM files through the one door.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include <filesystem>
#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/testing/errors.h"
#include "ward/data/describe.h"
#include "ward/data/testing/load_helpers.h"

namespace ward::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testonly::error_of;

// A PNG of one grey or colour value.
void write_png(const std::filesystem::path& file, int side, bool colour, uint8_t value) {
    std::filesystem::create_directories(file.parent_path());
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = image.height = static_cast<png_uint_32>(side);
    image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    const std::vector<uint8_t> pixels(static_cast<size_t>(side * side * 3), value);
    ASSERT_NE(png_image_write_to_file(&image, file.c_str(), 0, pixels.data(), 0, nullptr), 0);
}

TEST(ImageFolder, OneFolderPerClassWithParts) {
    const auto folder = scratch_folder("pictures");
    for (int i = 0; i < 6; ++i) {
        write_png(folder / "train" / (i % 2 == 0 ? "cat" : "dog") / (std::to_string(i) + ".png"), 4,
                  false, static_cast<uint8_t>(10 * i));
    }
    write_png(folder / "val" / "dog" / "a.PNG", 4, false, 255);
    write_file_atomically((folder / "train" / "cat" / "notes.txt").string(), std::string_view("x"));
    const Dataset train = load(folder);
    EXPECT_EQ(train.name, "pictures");
    EXPECT_THAT(train.example_shape, ElementsAre(1, 4, 4));
    EXPECT_THAT(train.class_names, ElementsAre("cat", "dog"));
    EXPECT_THAT(train.labels, ElementsAre(0, 0, 0, 1, 1, 1));
    EXPECT_FLOAT_EQ(train.inputs[16], 20 / 255.0f);
    EXPECT_FALSE(train.bounds_read_from_data) << "a folder for a class declares the class";
    EXPECT_EQ(load(folder, "all").size(), 7);
    // The test part has one class only; its number is the model's.
    LoadRequest request = request_for(folder, "test");
    request.preprocessing_json = train.preprocessing_json;
    EXPECT_THAT(load_dataset(request).dataset.labels, ElementsAre(1));
    write_png(folder / "val" / "cow" / "b.png", 4, false, 1);
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kInvalid),
                HasSubstr("has the class 'cow', which the model was not trained on"));
}

TEST(ImageFolder, ColoursSizesAndFoldersWithoutClasses) {
    const auto folder = scratch_folder("mixed");
    write_png(folder / "a" / "grey.png", 4, false, 7);
    write_png(folder / "b" / "colour.png", 4, true, 9);
    const Dataset all = load(folder, "all");
    EXPECT_THAT(all.example_shape, ElementsAre(3, 4, 4));
    EXPECT_FLOAT_EQ(all.inputs[47], 7 / 255.0f);
    EXPECT_EQ(describe(request_for(folder, "all")).kind, "images");
    write_png(folder / "b" / "large.png", 5, true, 9);
    EXPECT_THAT(error_of([&] { load(folder, "all"); }, ErrorCode::kInvalid),
                HasSubstr("large.png is 5 x 5 pixels, but " + (folder / "a" / "grey.png").string() +
                          " is 4 x 4"));
    write_file_atomically((folder / "b" / "large.png").string(), std::string_view("<html>"));
    EXPECT_THAT(error_of([&] { load(folder, "all"); }, ErrorCode::kUnsupported),
                HasSubstr("large.png is neither a PNG nor a JPEG file"));
    const auto flat = scratch_folder("flat");
    write_png(flat / "1.png", 4, true, 7);
    EXPECT_THAT(error_of([&] { load(flat, "all"); }, ErrorCode::kInvalid),
                HasSubstr("the images are in no class"));
    LoadRequest request = request_for(flat, "all");
    request.labels_required = false;
    EXPECT_EQ(load_dataset(request).dataset.size(), 1);
    // A folder with a known table stays a table.
    write_png(folder / "schema.yaml" / "x.png", 4, true, 7);
    std::filesystem::remove_all(folder / "schema.yaml");
    write_file_atomically((folder / "schema.yaml").string(), std::string_view("ward_schema: 2"));
    EXPECT_THAT(error_of([&] { load(folder, "all"); }, ErrorCode::kInvalid), HasSubstr("schema"));
}

TEST(Libsvm, FilesWithAndWithoutATestPart) {
    const auto folder = scratch_folder("libsvm");
    const std::string file = (folder / "a.libsvm").string();
    std::string rows;
    for (int i = 0; i < 100; ++i)
        rows += (i % 3 == 0 ? "+1 1:" : "-1 2:") + std::to_string(i) + ".5 4:1 # row\n";
    write_file_atomically(file, std::string_view(rows));
    const Dataset all = load(file, "all");
    EXPECT_EQ(all.name, "a");
    EXPECT_THAT(all.example_shape, ElementsAre(4));
    EXPECT_THAT(all.class_names, ElementsAre("-1", "1"));
    EXPECT_EQ(all.inputs[5], 1.5f);
    EXPECT_TRUE(all.bounds_read_from_data);
    EXPECT_EQ(load(file).size() + load(file, "test").size(), 100);
    write_file_atomically(file + ".t", std::string_view("-1 3:2\n"));
    LoadRequest request = request_for(file, "test");
    request.preprocessing_json = all.preprocessing_json;
    const Dataset test = load_dataset(request).dataset;
    EXPECT_THAT(test.inputs, ElementsAre(0, 0, 2, 0));
    EXPECT_EQ(load(file).size(), 100);
    write_file_atomically(file + ".t", std::string_view("-1 5:2\n"));
    EXPECT_THAT(error_of([&] { load_dataset(request); }, ErrorCode::kInvalid),
                HasSubstr("a.libsvm.t line 1: expected an index up to 4, got 5"));
}

}  // namespace
}  // namespace ward::data
