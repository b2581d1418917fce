#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/data/internal/hash.h"
#include "ward/data/internal/load_parts.h"
#include "ward/data/internal/raw_set.h"
#include "ward/data/libsvm.h"

namespace ward::data::internal {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kMaxClasses = 1'000'000;

// How array elements become inputs; stored with the model as preprocessing_json.
struct ArrayEncoding {
    std::vector<int64_t> example_shape;  // {channels, height, width} or {features}
    bool channels_last = false;          // in the file: {height, width, channels}
    double scale = 1;                    // inputs are (x / scale - mean) / std
    std::vector<double> mean;
    std::vector<double> std;
    std::vector<std::string> class_names;
    bool classes_from_labels = false;  // nobody declared how many there are; not stored

    std::string to_json() const {
        return Json{{"ward_preprocessing", 1},
                    {"kind", "array"},
                    {"example_shape", example_shape},
                    {"channels_last", channels_last},
                    {"scale", scale},
                    {"mean", mean},
                    {"std", std},
                    {"class_names", class_names}}
            .dump();
    }

    static ArrayEncoding from_json(const std::string& text) {
        const Json record = Json::parse(text, nullptr, false);
        try {
            if (record.at("ward_preprocessing") != 1 || record.at("kind") != "array")
                throw Error(ErrorCode::kInvalid,
                            "the model was trained on a table, but the data are arrays",
                            "give data of the kind the model was trained on");
            ArrayEncoding encoding;
            record.at("example_shape").get_to(encoding.example_shape);
            record.at("channels_last").get_to(encoding.channels_last);
            record.at("scale").get_to(encoding.scale);
            record.at("mean").get_to(encoding.mean);
            record.at("std").get_to(encoding.std);
            record.at("class_names").get_to(encoding.class_names);
            return encoding;
        } catch (const Json::exception&) {
            throw Error(ErrorCode::kInvalid, "the preprocessing record of the model is damaged");
        }
    }
};

int64_t size_of(const RawSet& set) { return set.inputs.shape.empty() ? 0 : set.inputs.shape[0]; }

std::string short_number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
}

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string text;
    for (int64_t size : shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
    return text;
}

std::vector<int64_t> to_labels(const Array& array, const std::string& source) {
    if (array.shape.size() != 1 && !(array.shape.size() == 2 && array.shape[1] == 1)) {
        throw Error(ErrorCode::kInvalid, source +
                                             ": labels must be a vector of class numbers, got " +
                                             std::to_string(array.shape.size()) + " dimensions");
    }
    std::vector<int64_t> labels(static_cast<size_t>(array.elements()));
    for (size_t i = 0; i < labels.size(); ++i) {
        const double value = array.at(static_cast<int64_t>(i));
        if (!(value >= 0) || value >= static_cast<double>(kMaxClasses) ||
            value != std::trunc(value)) {
            throw Error(ErrorCode::kInvalid, source + " row " + std::to_string(i + 1) +
                                                 ": expected a class number from 0, got " +
                                                 short_number(value));
        }
        labels[i] = static_cast<int64_t>(value);
    }
    return labels;
}

void check_pair(const RawSet& set, const std::string& inputs, const std::string& labels) {
    if (size_of(set) == 0) throw Error(ErrorCode::kInvalid, inputs + " holds no examples");
    if (!set.labels.empty() && static_cast<int64_t>(set.labels.size()) != size_of(set)) {
        throw Error(ErrorCode::kInvalid,
                    inputs + " holds " + std::to_string(size_of(set)) + " examples, but " + labels +
                        " holds " + std::to_string(set.labels.size()) + " labels",
                    "give two files of one set");
    }
}

RawSet read_pair(const std::string& inputs, const std::string& labels, bool idx) {
    RawSet set;
    set.inputs = idx ? read_idx(inputs) : read_npy(inputs);
    set.source = inputs;
    set.digest = set.inputs.digest;
    if (!labels.empty()) {
        const Array array = idx ? read_idx(labels) : read_npy(labels);
        set.labels = to_labels(array, labels);
        set.digest += array.digest;
    }
    check_pair(set, inputs, labels);
    return set;
}

void join(RawSet* all, RawSet&& more) {
    if (all->inputs.data.empty()) {
        *all = std::move(more);
        return;
    }
    const bool same = all->inputs.type == more.inputs.type &&
                      std::equal(all->inputs.shape.begin() + 1, all->inputs.shape.end(),
                                 more.inputs.shape.begin() + 1, more.inputs.shape.end()) &&
                      all->cifar_classes == more.cifar_classes &&
                      all->labels.empty() == more.labels.empty();
    if (!same)
        throw Error(ErrorCode::kInvalid, all->source + " and " + more.source +
                                             " hold examples of different shapes or types");
    all->inputs.shape[0] += more.inputs.shape[0];
    all->inputs.data.insert(all->inputs.data.end(), more.inputs.data.begin(),
                            more.inputs.data.end());
    all->labels.insert(all->labels.end(), more.labels.begin(), more.labels.end());
    all->source += ", " + more.source;
    all->digest += more.digest;
}

// Names under which the parts of a set are found. {inputs, labels} per part.
struct PartNames {
    const char* part;
    const char* inputs;
    const char* labels;
};
constexpr PartNames kIdxNames[] = {
    {"train", "train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
    {"test", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
    {"train", "train-images.idx3-ubyte", "train-labels.idx1-ubyte"},
    {"test", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"},
    {"test", "test-images-idx3-ubyte", "test-labels-idx1-ubyte"},
};
constexpr PartNames kNpyNames[] = {
    {"train", "X_train.npy", "y_train.npy"},
    {"test", "X_test.npy", "y_test.npy"},
    {"train", "train_features.npy", "train_labels.npy"},
    {"test", "test_features.npy", "test_labels.npy"},
    {"whole", "features.npy", "labels.npy"},
    {"whole", "X.npy", "y.npy"},
};

bool has_any(const fs::path& folder, std::span<const PartNames> names) {
    return std::any_of(names.begin(), names.end(), [&](const PartNames& name) {
        return !existing_file(folder, name.inputs).empty();
    });
}

std::vector<fs::path> cifar_files(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(".bin") || name.ends_with(".bin.gz")) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

RawSet read_named_parts(const LoadRequest& request, const fs::path& folder,
                        std::span<const PartNames> names, bool idx) {
    RawSet set;
    bool whole = false;
    for (const PartNames& name : names) {
        const std::string part = name.part;
        if (part != "whole" && request.split != "all" && part != request.split) continue;
        const std::string inputs = existing_file(folder, name.inputs);
        if (inputs.empty()) continue;
        const std::string labels = existing_file(folder, name.labels);
        if (labels.empty() && request.labels_required) {
            throw Error(ErrorCode::kNotFound,
                        inputs + " is there, but not its labels " + name.labels,
                        "put both files into one folder");
        }
        whole = whole || part == "whole";
        join(&set, read_pair(inputs, labels, idx));
        if (request.split != "all" || part == "whole") break;
    }
    if (set.inputs.data.empty())
        throw Error(ErrorCode::kNotFound, folder.string() + " holds no " + request.split + " part",
                    "see the file names that `ward data --help` lists");
    set.own_parts = !whole;
    return set;
}

RawSet read_cifar_file(const fs::path& file) {
    LabelledImages images = read_cifar(file.string());
    RawSet set;
    set.inputs = std::move(images.pixels);
    set.labels = std::move(images.labels);
    set.source = file.string();
    set.digest = set.inputs.digest;
    set.cifar_classes = images.classes;
    return set;
}

RawSet read_cifar_folder(const LoadRequest& request, const fs::path& folder) {
    const std::vector<fs::path> files = cifar_files(folder);
    const auto is_test = [](const fs::path& file) {
        return file.filename().string().find("test") != std::string::npos;
    };
    const bool has_parts = std::any_of(files.begin(), files.end(), is_test) &&
                           !std::all_of(files.begin(), files.end(), is_test);
    RawSet set;
    for (const fs::path& file : files) {
        if (has_parts && request.split != "all" && is_test(file) != (request.split == "test"))
            continue;
        join(&set, read_cifar_file(file));
    }
    set.own_parts = has_parts;
    return set;
}

RawSet read_npy_file(const LoadRequest& request, const fs::path& file) {
    std::string labels;
    for (const char* name : {"labels.npy", "y.npy"})
        if (labels.empty()) labels = existing_file(file.parent_path(), name);
    if (labels.empty() && request.labels_required) {
        throw Error(ErrorCode::kNotFound, "found no labels.npy or y.npy beside " + file.string(),
                    "save the class numbers there");
    }
    return read_pair(file.string(), labels, false);
}

bool is_libsvm_name(const std::string& name) {
    const std::string plain = without_gz(name);
    return plain.ends_with(".libsvm") || plain.ends_with(".svm") || plain.ends_with(".svmlight");
}

// A file of LIBSVM's format; FILE.t beside it is its test part, as on the format's home page.
RawSet read_libsvm_file(const LoadRequest& request, const fs::path& file) {
    int64_t features = 0;
    if (!request.preprocessing_json.empty()) {
        const auto trained = ArrayEncoding::from_json(request.preprocessing_json);
        if (trained.example_shape.size() == 1) features = trained.example_shape[0];
    }
    const std::string test = existing_file(file.parent_path(), file.filename().string() + ".t");
    RawSet set;
    const std::string chosen = request.split == "test" && !test.empty() ? test : file.string();
    LibsvmData data = read_libsvm(chosen, features);
    set.inputs = std::move(data.features);
    set.labels = std::move(data.labels);
    set.class_names = std::move(data.class_names);
    set.source = chosen;
    set.digest = set.inputs.digest;
    set.own_parts = !test.empty() && request.split != "all";
    return set;
}

int64_t wanted_channels(const LoadRequest& request) {
    if (request.preprocessing_json.empty()) return 0;
    const auto trained = ArrayEncoding::from_json(request.preprocessing_json);
    return trained.example_shape.size() == 3 ? trained.example_shape[0] : 0;
}

RawSet read_raw(const LoadRequest& request, const fs::path& path) {
    RawSet set;
    if (!fs::is_directory(path) && is_libsvm_name(path.filename().string())) {
        set = read_libsvm_file(request, path);
        set.name = fs::path(without_gz(path.filename().string())).stem().string();
        return set;
    }
    if (!fs::is_directory(path)) {
        set = path.string().find(".npy") != std::string::npos ? read_npy_file(request, path)
                                                              : read_cifar_file(path);
        set.name = path.stem().string();
        return set;
    }
    if (has_any(path, kIdxNames)) {
        set = read_named_parts(request, path, kIdxNames, true);
        set.known = find_known_set(set.digest);
    } else if (has_any(path, kNpyNames)) {
        set = read_named_parts(request, path, kNpyNames, false);
    } else if (!cifar_files(path).empty()) {
        set = read_cifar_folder(request, path);
    } else {
        set = read_image_folder(request, path, wanted_channels(request));
    }
    const fs::path clean = fs::absolute(path).lexically_normal();
    set.name = (clean.has_filename() ? clean : clean.parent_path()).filename().string();
    return set;
}

// The shape of one example as the network sees it.
void choose_shape(const RawSet& set, ArrayEncoding* encoding) {
    const std::vector<int64_t> one(set.inputs.shape.begin() + 1, set.inputs.shape.end());
    const auto is_usual = [](int64_t n) { return n == 1 || n == 3; };
    if (one.size() == 2) {
        encoding->example_shape = {1, one[0], one[1]};
    } else if (one.size() == 3 && !is_usual(one[0]) &&
               (is_usual(one[2]) || (one[2] == 4 && one[0] != 4))) {
        encoding->example_shape = {one[2], one[0], one[1]};
        encoding->channels_last = true;
    } else {
        encoding->example_shape = one.empty() ? std::vector<int64_t>{1} : one;
    }
}

void choose_normalisation(const LoadRequest& request, const RawSet& set, ArrayEncoding* encoding) {
    encoding->mean = request.mean;
    encoding->std = request.std;
    if (encoding->mean.empty() && encoding->std.empty() && set.known != nullptr) {
        encoding->mean = {set.known->mean};
        encoding->std = {set.known->std};
    }
    if (encoding->mean.empty() && encoding->std.empty() && set.cifar_classes > 0) {
        const bool ten = set.cifar_classes == 10;  // of the 50000 public training images
        encoding->mean = ten ? std::vector<double>{0.4914, 0.4822, 0.4465}
                             : std::vector<double>{0.5071, 0.4865, 0.4409};
        encoding->std = ten ? std::vector<double>{0.2470, 0.2435, 0.2616}
                            : std::vector<double>{0.2673, 0.2564, 0.2762};
    }
    const auto channels = static_cast<size_t>(encoding->example_shape[0]);
    const bool fits = encoding->mean.size() == encoding->std.size() &&
                      (encoding->mean.empty() || encoding->mean.size() == channels);
    const bool sound = std::all_of(encoding->std.begin(), encoding->std.end(),
                                   [](double x) { return std::isfinite(x) && x > 0; });
    if (!fits || !sound) {
        throw Error(ErrorCode::kUsage, "mean and std need one value per channel (" +
                                           std::to_string(channels) + "), std above 0");
    }
}

void choose_classes(const LoadRequest& request, const RawSet& set, ArrayEncoding* encoding) {
    if (set.known != nullptr) encoding->class_names = *set.known->classes;
    if (set.cifar_classes > 0) encoding->class_names = cifar_class_names(set.cifar_classes);
    if (!set.class_names.empty()) {
        encoding->class_names = set.class_names;
        encoding->classes_from_labels = !set.classes_declared;
    }
    if (!encoding->class_names.empty() || set.labels.empty()) return;
    int64_t classes = request.num_classes;
    encoding->classes_from_labels = classes == 0;
    if (classes == 0) classes = 1 + *std::max_element(set.labels.begin(), set.labels.end());
    for (int64_t i = 0; i < classes; ++i) encoding->class_names.push_back(std::to_string(i));
}

// Labels of a set with classes of its own under the numbers that the model has for them.
void renumber_labels(const std::vector<std::string>& trained, RawSet* set) {
    if (set->class_names.empty()) return;
    std::vector<int64_t> numbers;
    for (const std::string& name : set->class_names) {
        const auto at = std::find(trained.begin(), trained.end(), name);
        if (at == trained.end()) {
            throw Error(ErrorCode::kInvalid, set->source + " has the class '" + name +
                                                 "', which the model was not trained on");
        }
        numbers.push_back(at - trained.begin());
    }
    for (int64_t& label : set->labels) label = numbers[static_cast<size_t>(label)];
}

ArrayEncoding choose_encoding(const LoadRequest& request, RawSet& set) {
    ArrayEncoding encoding;
    choose_shape(set, &encoding);
    if (!request.preprocessing_json.empty()) {
        ArrayEncoding trained = ArrayEncoding::from_json(request.preprocessing_json);
        if (trained.example_shape != encoding.example_shape)
            throw Error(ErrorCode::kInvalid, set.source + " has examples of shape " +
                                                 shape_text(encoding.example_shape) +
                                                 ", the model was trained on " +
                                                 shape_text(trained.example_shape));
        trained.channels_last = encoding.channels_last;
        renumber_labels(trained.class_names, &set);
        return trained;
    }
    encoding.scale = set.inputs.type == ElementType::kU8 ? 255 : 1;
    choose_normalisation(request, set, &encoding);
    choose_classes(request, set, &encoding);
    return encoding;
}

// Writes example `row`, channel by channel.
void encode_example(const RawSet& set, const ArrayEncoding& encoding, int64_t row, int64_t width,
                    float* out) {
    const bool image = encoding.example_shape.size() == 3;
    const int64_t channels = image || !encoding.mean.empty() ? encoding.example_shape[0] : 1;
    const int64_t plane = width / channels;
    for (int64_t c = 0; c < channels; ++c) {
        const auto channel = static_cast<size_t>(c);
        const double mean = encoding.mean.empty() ? 0 : encoding.mean[channel];
        const double std = encoding.std.empty() ? 1 : encoding.std[channel];
        const double slope = 1 / (encoding.scale * std);
        const double shift = mean / std;
        for (int64_t i = 0; i < plane; ++i) {
            const int64_t from = encoding.channels_last ? i * channels + c : c * plane + i;
            out[c * plane + i] =
                static_cast<float>(set.inputs.at(row * width + from) * slope - shift);
        }
    }
}

void encode_inputs(const RawSet& set, const ArrayEncoding& encoding, Dataset* data) {
    const int64_t rows = size_of(set);
    const int64_t width = set.inputs.elements() / std::max<int64_t>(rows, 1);
    data->inputs.resize(static_cast<size_t>(rows * width));
    parallel_for(0, rows, 256, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row)
            encode_example(set, encoding, row, width, data->inputs.data() + row * width);
    });
    const auto bad = std::find_if(data->inputs.begin(), data->inputs.end(),
                                  [](float x) { return !std::isfinite(x); });
    if (bad != data->inputs.end()) {
        throw Error(ErrorCode::kInvalid,
                    set.source + " row " +
                        std::to_string((bad - data->inputs.begin()) / width + 1) +
                        ": expected finite numbers, got NaN or infinity",
                    "repair or remove such rows");
    }
}

void check_labels(const RawSet& set, const ArrayEncoding& encoding) {
    const auto classes = static_cast<int64_t>(encoding.class_names.size());
    for (size_t i = 0; i < set.labels.size(); ++i) {
        if (set.labels[i] < classes) continue;
        throw Error(ErrorCode::kInvalid, set.source + " row " + std::to_string(i + 1) + ": label " +
                                             std::to_string(set.labels[i]) + " is outside the " +
                                             std::to_string(classes) + " classes");
    }
}

std::vector<uint64_t> row_keys(const Array& inputs) {
    const int64_t rows = inputs.shape[0];
    const size_t bytes = inputs.data.size() / static_cast<size_t>(rows);
    std::vector<uint64_t> keys(static_cast<size_t>(rows));
    for (size_t i = 0; i < keys.size(); ++i)
        keys[i] = hash_bytes(inputs.data.data() + i * bytes, bytes);
    return keys;
}

}  // namespace

bool is_array_set(const fs::path& path) {
    const std::string name = path.filename().string();
    if (!fs::is_directory(path)) {
        return name.ends_with(".npy") || name.ends_with(".npy.gz") || name.ends_with(".bin") ||
               name.ends_with(".bin.gz") || is_libsvm_name(name);
    }
    return has_any(path, kIdxNames) || has_any(path, kNpyNames) || !cifar_files(path).empty() ||
           (!holds_known_table(path) && is_image_folder(path));
}

LoadedData load_arrays(const LoadRequest& request, const fs::path& path) {
    RawSet set = read_raw(request, path);
    const ArrayEncoding encoding = choose_encoding(request, set);
    check_labels(set, encoding);
    LoadedData loaded;
    Dataset& data = loaded.dataset;
    data.name = set.known != nullptr ? set.known->name : set.name;
    data.example_shape = encoding.example_shape;
    encode_inputs(set, encoding, &data);
    data.labels = std::move(set.labels);
    data.class_names = encoding.class_names;
    data.bounds_read_from_data = encoding.classes_from_labels;
    if (data.bounds_read_from_data) {
        loaded.notes.push_back(
            "the classes (and of LIBSVM files the number of features) were read from the rows, "
            "which the privacy guarantee does not cover");
    }
    data.preprocessing_json = encoding.to_json();
    data.digest = sha256_hex(set.digest + "\n" + data.preprocessing_json);
    loaded.source = set.source;
    if (set.own_parts) {
        loaded.split = "the set's own " + request.split + " part";
        return loaded;
    }
    std::vector<uint64_t> keys;
    if (request.split != "all") keys = row_keys(set.inputs);
    return keep_part(std::move(loaded), request, keys);
}

}  // namespace ward::data::internal
