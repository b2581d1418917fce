// Short ways to load small sets in tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "ward/data/load.h"

namespace ward::data {

inline LoadRequest request_for(const std::string& data, const std::string& split = "train") {
    LoadRequest request;
    request.data = data;
    request.split = split;
    return request;
}

inline Dataset load(const std::string& data, const std::string& split = "train") {
    return load_dataset(request_for(data, split)).dataset;
}

inline std::filesystem::path scratch_folder(const std::string& name) {
    const auto folder = std::filesystem::path(::testing::TempDir()) / "ward_load_test" / name;
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    return folder;
}

}  // namespace ward::data
