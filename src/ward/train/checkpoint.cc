#include "ward/train/checkpoint.h"

#include <charconv>
#include <cstring>
#include <sstream>
#include <utility>

#include "ward/core/error.h"
#include "ward/model/safetensors.h"
#include "ward/nn/torch.h"

namespace ward::train {
namespace {

constexpr char kFormat[] = "ward-checkpoint-1";

struct Section {
    const char* prefix;
    std::map<std::string, at::Tensor> Checkpoint::*tensors;
};
constexpr Section kSections[] = {{"weight/", &Checkpoint::weights},
                                 {"average/", &Checkpoint::averages},
                                 {"optimizer/", &Checkpoint::optimizer_state}};

const std::string& field(const model::TensorTable& table, const std::string& key,
                         const std::string& path) {
    const auto found = table.metadata.find(key);
    if (found == table.metadata.end()) {
        throw Error(ErrorCode::kCorrupt,
                    path + " is not a checkpoint of Ward: it has no entry " + key,
                    "name the file that --checkpoint wrote");
    }
    return found->second;
}

template <typename Number>
Number number_field(const model::TensorTable& table, const std::string& key,
                    const std::string& path) {
    const std::string& text = field(table, key, path);
    Number value{};
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || end != text.data() + text.size()) {
        throw Error(ErrorCode::kCorrupt, path + ": entry " + key + " is not a number: " + text);
    }
    return value;
}

std::string exact_text(double value) {
    char text[32];
    const auto result = std::to_chars(text, text + sizeof(text), value);
    return {text, result.ptr};
}

// "120 260"
std::string steps_text(const std::vector<int64_t>& steps) {
    std::string text;
    for (const int64_t step : steps) {
        if (!text.empty()) text += ' ';
        text += std::to_string(step);
    }
    return text;
}

std::vector<int64_t> steps_from_text(const std::string& text, const std::string& path) {
    std::vector<int64_t> steps;
    std::istringstream words(text);
    for (int64_t step = 0; words >> step;) steps.push_back(step);
    if (!words.eof()) {
        throw Error(ErrorCode::kCorrupt,
                    path + ": entry resumed_at is not a list of steps: " + text);
    }
    return steps;
}

std::map<std::string, std::string> metadata_of(const Checkpoint& checkpoint) {
    return {
        {"format", kFormat},
        {"run_digest", checkpoint.run_digest},
        {"plan", checkpoint.plan_json},
        {"steps_done", std::to_string(checkpoint.steps_done)},
        {"optimizer_steps", std::to_string(checkpoint.optimizer_steps)},
        {"clipping_norm", exact_text(checkpoint.clipping_norm)},
        {"curve", checkpoint.curve_json},
        {"resumed_at", steps_text(checkpoint.resumed_at)},
    };
}

// All entries but the seal, each with the length of its value, so that no two sets read alike.
std::string sealed_text(const std::map<std::string, std::string>& metadata) {
    std::string text;
    for (const auto& [key, value] : metadata) {
        if (key == "seal") continue;
        text += key + " " + std::to_string(value.size()) + " " + value + "\n";
    }
    return text;
}

}  // namespace

void save_checkpoint(const Checkpoint& checkpoint, const std::string& path, const Seal& seal) {
    std::map<std::string, std::string> metadata = metadata_of(checkpoint);
    if (seal) metadata.emplace("seal", seal(sealed_text(metadata)));
    std::vector<model::TensorEntry> entries;
    std::vector<at::Tensor> values;
    for (const Section& section : kSections) {
        for (const auto& [name, tensor] : checkpoint.*section.tensors) {
            model::TensorEntry entry;
            entry.name = section.prefix + name;
            entry.shape = tensor.sizes().vec();
            entries.push_back(std::move(entry));
            values.push_back(tensor.detach().to(at::kCPU, at::kFloat).contiguous());
        }
    }
    model::SafetensorsWriter writer(path, metadata, std::move(entries),
                                    AtomicFile::Readers::kOwner);
    for (const at::Tensor& value : values) {
        writer.append(ByteView(static_cast<const uint8_t*>(value.data_ptr()), value.nbytes()));
    }
    writer.commit();
}

Checkpoint load_checkpoint(const std::string& path, const Seal& seal) {
    const model::SafetensorsFile file(path);
    const model::TensorTable& table = file.table();
    if (field(table, "format", path) != kFormat) {
        throw Error(ErrorCode::kUnsupported, path + " has checkpoint format " +
                                                 field(table, "format", path) +
                                                 ", this version reads " + kFormat);
    }
    if (seal && field(table, "seal", path) != seal(sealed_text(table.metadata))) {
        throw Error(
            ErrorCode::kCorrupt,
            path + " is not as this user's `ward train` wrote it: its seal does not fit",
            "resume where the run began, with the same WARD_STATE_DIR, from an unchanged file");
    }
    Checkpoint checkpoint;
    checkpoint.run_digest = field(table, "run_digest", path);
    checkpoint.plan_json = field(table, "plan", path);
    checkpoint.steps_done = number_field<int64_t>(table, "steps_done", path);
    checkpoint.optimizer_steps = number_field<int64_t>(table, "optimizer_steps", path);
    checkpoint.clipping_norm = number_field<double>(table, "clipping_norm", path);
    checkpoint.curve_json = field(table, "curve", path);
    checkpoint.resumed_at = steps_from_text(field(table, "resumed_at", path), path);
    for (const model::TensorEntry& entry : table.tensors) {
        const std::vector<float> values = file.floats(entry);
        at::Tensor tensor = torch::empty(entry.shape);
        std::memcpy(tensor.data_ptr<float>(), values.data(), values.size() * sizeof(float));
        for (const Section& section : kSections) {
            if (entry.name.rfind(section.prefix, 0) != 0) continue;
            (checkpoint.*section.tensors)[entry.name.substr(std::strlen(section.prefix))] = tensor;
        }
    }
    return checkpoint;
}

}  // namespace ward::train
