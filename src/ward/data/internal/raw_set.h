// Examples of images and arrays before they are encoded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ward/data/array.h"
#include "ward/data/internal/known_sets.h"
#include "ward/data/load.h"

namespace ward::data::internal {

struct RawSet {
    std::string name;
    Array inputs;
    std::vector<int64_t> labels;           // may be empty
    std::vector<std::string> class_names;  // of the labels, where the files name them
    bool classes_declared = false;         // by the owner (folders), not read from labels
    std::string source;
    std::string digest;
    bool own_parts = false;  // the files are the wanted part already
    const KnownSet* known = nullptr;
    int64_t cifar_classes = 0;  // 10 or 100: a CIFAR set
};

// PNG and JPEG files in one folder per class, or in such folders under train/ and test/ (or val/);
// without labels also directly in `folder`. `channels`: 1 or 3 as the model wants them; 0: 1 when
// all files are grey, else 3. All images need one size. Throws Error kInvalid that names the file.
RawSet read_image_folder(const LoadRequest& request, const std::filesystem::path& folder,
                         int64_t channels);

// Whether the folder, or a folder in it, holds files named like images.
bool is_image_folder(const std::filesystem::path& folder);

}  // namespace ward::data::internal
