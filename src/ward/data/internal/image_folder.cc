#include <algorithm>
#include <cctype>
#include <optional>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/parallel.h"
#include "ward/data/image.h"
#include "ward/data/internal/raw_set.h"

namespace ward::data::internal {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFiles = 5'000'000;
constexpr const char* kTestNames[] = {"test", "val", "valid", "validation"};

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

bool is_image_name(const fs::path& path) {
    std::string ending = path.extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return !is_hidden(path) && (ending == ".png" || ending == ".jpg" || ending == ".jpeg");
}

bool holds_images(const fs::path& folder) {
    for (const auto& entry : fs::directory_iterator(folder))
        if (is_image_name(entry.path())) return true;
    return false;
}

// Folders with images in `folder`, in the order of their names: one per class.
std::vector<fs::path> class_folders(const fs::path& folder) {
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.is_directory() && !is_hidden(entry.path()) && holds_images(entry.path()))
            folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    return folders;
}

bool has_classes(const fs::path& folder) {
    return fs::is_directory(folder) && !class_folders(folder).empty();
}

// The parts of a set that has them: {train}, {test} or both.
std::vector<fs::path> part_folders(const fs::path& folder, const std::string& split) {
    std::vector<fs::path> parts;
    if (split != "test") parts.push_back(folder / "train");
    if (split == "train") return parts;
    for (const char* name : kTestNames) {
        if (!has_classes(folder / name)) continue;
        parts.push_back(folder / name);
        return parts;
    }
    if (split == "test") {
        throw Error(ErrorCode::kNotFound, folder.string() + " holds no test part",
                    "expected folders of images in its folder test or val");
    }
    return parts;
}

struct Files {
    std::vector<fs::path> paths;
    std::vector<int64_t> labels;
    std::vector<std::string> class_names;
};

void add_files(const fs::path& folder, std::optional<int64_t> label, Files* files) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.is_regular_file() && is_image_name(entry.path())) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    for (fs::path& path : found) {
        files->paths.push_back(std::move(path));
        if (label) files->labels.push_back(*label);
    }
    if (files->paths.size() > kMostFiles) {
        throw Error(ErrorCode::kInvalid,
                    folder.string() + ": more than " + std::to_string(kMostFiles) + " images");
    }
}

void add_classes(const fs::path& folder, Files* files) {
    for (const fs::path& one : class_folders(folder)) {
        const std::string name = one.filename().string();
        auto at = std::find(files->class_names.begin(), files->class_names.end(), name);
        if (at == files->class_names.end()) at = files->class_names.insert(at, name);
        add_files(one, at - files->class_names.begin(), files);
    }
}

Files find_files(const LoadRequest& request, const fs::path& folder, bool own_parts) {
    Files files;
    if (own_parts) {
        for (const fs::path& part : part_folders(folder, request.split)) add_classes(part, &files);
    } else {
        add_classes(folder, &files);
    }
    if (!files.paths.empty()) return files;
    if (request.labels_required) {
        throw Error(ErrorCode::kInvalid, folder.string() + ": the images are in no class",
                    "put the images of each class into a folder of that name");
    }
    add_files(folder, std::nullopt, &files);
    return files;
}

struct Decoded {
    std::vector<Image> images;
    std::string digest;
};

Decoded decode_all(const std::vector<fs::path>& paths) {
    Decoded decoded;
    decoded.images.resize(paths.size());
    std::vector<std::string> digests(paths.size());
    parallel_for(0, static_cast<int64_t>(paths.size()), 16, [&](int64_t first, int64_t last) {
        for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
            const Bytes content = read_file(paths[i].string(), kMaxImageBytes);
            decoded.images[i] = decode_image(ByteView(content), paths[i].string());
            digests[i] = sha256_hex(ByteView(content));
        }
    });
    std::string all;
    for (size_t i = 0; i < paths.size(); ++i) {
        all += paths[i].parent_path().filename().string() + "/" + paths[i].filename().string() +
               "\n" + digests[i] + "\n";
    }
    decoded.digest = sha256_hex(all);
    return decoded;
}

void check_sizes(const std::vector<Image>& images, const std::vector<fs::path>& paths) {
    const Image& first = images.front();
    for (size_t i = 1; i < images.size(); ++i) {
        const Image& image = images[i];
        if (image.width == first.width && image.height == first.height) continue;
        const auto size = [](const Image& x) {
            return std::to_string(x.width) + " x " + std::to_string(x.height);
        };
        throw Error(ErrorCode::kInvalid,
                    paths[i].string() + " is " + size(image) + " pixels, but " +
                        paths.front().string() + " is " + size(first),
                    "give all images one size, e.g. mogrify -resize 64x64! on copies of them");
    }
}

// {images, channels, height, width}.
Array to_array(std::vector<Image>&& images, int64_t channels) {
    const int64_t width = images.front().width, height = images.front().height;
    const auto plane = static_cast<size_t>(width * height);
    const size_t example = plane * static_cast<size_t>(channels);
    if (images.size() > kMaxArrayBytes / example) {
        throw Error(ErrorCode::kInvalid, std::to_string(images.size()) + " images of " +
                                             std::to_string(example) + " bytes are more than " +
                                             std::to_string(kMaxArrayBytes) + " bytes");
    }
    Array array;
    array.shape = {static_cast<int64_t>(images.size()), channels, height, width};
    array.data.resize(images.size() * example);
    for (size_t i = 0; i < images.size(); ++i) {
        const auto from = static_cast<size_t>(images[i].channels);
        for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
            uint8_t* out = array.data.data() + i * example + c * plane;
            const uint8_t* in = images[i].pixels.data() + (from == 3 ? c : 0);
            for (size_t k = 0; k < plane; ++k) out[k] = in[k * from];
        }
        images[i].pixels = Bytes();
    }
    return array;
}

int64_t choose_channels(const std::vector<Image>& images, const std::vector<fs::path>& paths,
                        int64_t wanted) {
    const auto colour = std::find_if(images.begin(), images.end(),
                                     [](const Image& image) { return image.channels == 3; });
    if (wanted == 1 && colour != images.end()) {
        throw Error(ErrorCode::kInvalid,
                    paths[static_cast<size_t>(colour - images.begin())].string() +
                        " has colours, the model was trained on grey images");
    }
    if (wanted == 1 || wanted == 3) return wanted;
    return colour == images.end() ? 1 : 3;
}

}  // namespace

bool is_image_folder(const fs::path& folder) {
    return holds_images(folder) || has_classes(folder) || has_classes(folder / "train") ||
           has_classes(folder / "test");
}

RawSet read_image_folder(const LoadRequest& request, const fs::path& folder, int64_t channels) {
    RawSet set;
    const bool own_parts = has_classes(folder / "train");
    Files files = find_files(request, folder, own_parts);
    if (files.paths.empty()) throw Error(ErrorCode::kInvalid, folder.string() + " holds no images");
    Decoded decoded = decode_all(files.paths);
    check_sizes(decoded.images, files.paths);
    const int64_t chosen = choose_channels(decoded.images, files.paths, channels);
    set.inputs = to_array(std::move(decoded.images), chosen);
    set.inputs.digest = decoded.digest;
    set.labels = std::move(files.labels);
    set.class_names = std::move(files.class_names);
    set.classes_declared = true;
    set.source = folder.string();
    set.digest = decoded.digest;
    set.own_parts = own_parts && request.split != "all";
    return set;
}

}  // namespace ward::data::internal
