#include "ward/mpc/learn/job_file.h"

#include <yaml-cpp/yaml.h>

#include <set>

#include "ward/core/error.h"
#include "ward/core/file.h"

namespace ward::mpc {
namespace {

constexpr size_t kMaxJobBytes = 1 << 20;
constexpr size_t kMaxLayers = 16;
constexpr int64_t kMaxWidth = 65536;
constexpr int64_t kMaxEpochs = 10'000;
constexpr int64_t kMaxBatch = 65536;
constexpr int64_t kMaxExamples = int64_t{1} << 32;
constexpr int64_t kMaxInputs = 1 << 20;
constexpr int64_t kMaxClasses = 64;

class JobReader {
  public:
    explicit JobReader(std::string name) : name_(std::move(name)) {}

    JobFile read(const YAML::Node& root) {
        if (!root.IsMap()) fail(root, "a job must be a list of `key: value` lines");
        for (const auto& item : root) {
            const std::string key = text(item.first, "a key");
            if (!seen_.insert(key).second) fail(item.first, key + " stands twice");
            read_key(key, item.first, item.second);
        }
        if (!seen_.contains("ward_mpc_job")) fail(root, "ward_mpc_job: 1 is missing");
        const bool numbers[] = {job_.examples > 0, job_.inputs > 0, job_.classes > 0};
        if (numbers[0] != numbers[1] || numbers[0] != numbers[2]) {
            fail(root, "examples, inputs and classes go together");
        }
        if (job_.data.empty() && !numbers[0]) fail(root, "data is missing");
        if (job_.security == Security::kMalicious && job_.truncation == Truncation::kFast) {
            fail(root, "security: malicious needs truncation: exact");
        }
        return job_;
    }

  private:
    [[noreturn]] void fail(const YAML::Node& at, const std::string& what) const {
        throw Error(ErrorCode::kInvalid,
                    name_ + " line " + std::to_string(at.Mark().line + 1) + ": " + what,
                    "see docs/mpc.md for the keys of a job");
    }

    std::string text(const YAML::Node& node, const std::string& what) const {
        if (!node.IsScalar()) fail(node, what + " must be a single value");
        return node.Scalar();
    }

    int64_t integer(const YAML::Node& node, const std::string& what, int64_t low,
                    int64_t high) const {
        int64_t value = 0;
        if (!node.IsScalar() || !YAML::convert<int64_t>::decode(node, value) || value < low ||
            value > high) {
            fail(node, what + " must be a whole number from " + std::to_string(low) + " to " +
                           std::to_string(high));
        }
        return value;
    }

    double number(const YAML::Node& node, const std::string& what, bool (*valid)(double),
                  const char* range) const {
        double value = 0;
        if (!node.IsScalar() || !YAML::convert<double>::decode(node, value) || !valid(value)) {
            fail(node, what + " must be a number in " + range);
        }
        return value;
    }

    void read_hidden(const YAML::Node& node) {
        if (!node.IsSequence() || node.size() > kMaxLayers) {
            fail(node, "hidden must be a list of at most 16 widths");
        }
        for (const YAML::Node& width : node) {
            job_.hidden.push_back(
                static_cast<size_t>(integer(width, "a width of hidden", 1, kMaxWidth)));
        }
    }

    void read_key(const std::string& key, const YAML::Node& at, const YAML::Node& value) {
        if (key == "ward_mpc_job") {
            integer(value, key, 1, 1);
        } else if (key == "data") {
            job_.data = text(value, key);
        } else if (key == "label") {
            job_.label = text(value, key);
        } else if (key == "schema") {
            job_.schema = text(value, key);
        } else if (key == "hidden") {
            read_hidden(value);
        } else if (key == "epochs") {
            job_.epochs = static_cast<int>(integer(value, key, 1, kMaxEpochs));
        } else if (key == "batch_size") {
            job_.options.batch_size = static_cast<size_t>(integer(value, key, 1, kMaxBatch));
        } else if (key == "learning_rate") {
            const auto valid = [](double v) { return v > 0 && v <= 16; };
            job_.options.learning_rate = number(value, key, valid, "(0, 16]");
        } else if (key == "momentum") {
            const auto valid = [](double v) { return v >= 0 && v < 1; };
            job_.options.momentum = number(value, key, valid, "[0, 1)");
        } else if (key == "decay") {
            const auto valid = [](double v) { return v > 0 && v <= 1; };
            job_.decay = number(value, key, valid, "(0, 1]");
        } else if (key == "examples") {
            job_.examples = static_cast<size_t>(integer(value, key, 1, kMaxExamples));
        } else if (key == "inputs") {
            job_.inputs = static_cast<size_t>(integer(value, key, 1, kMaxInputs));
        } else if (key == "classes") {
            job_.classes = static_cast<size_t>(integer(value, key, 2, kMaxClasses));
        } else if (key == "input_owner") {
            job_.input_owner = static_cast<int>(integer(value, key, 0, 2));
        } else if (key == "label_owner") {
            job_.label_owner = static_cast<int>(integer(value, key, 0, 2));
        } else if (key == "truncation") {
            const std::string kind = text(value, key);
            if (kind != "exact" && kind != "fast") fail(value, "truncation must be exact or fast");
            job_.truncation = kind == "exact" ? Truncation::kExact : Truncation::kFast;
        } else if (key == "security") {
            const std::string kind = text(value, key);
            if (kind != "semi-honest" && kind != "malicious") {
                fail(value, "security must be semi-honest or malicious");
            }
            job_.security = kind == "malicious" ? Security::kMalicious : Security::kSemiHonest;
        } else {
            fail(at, "there is no key " + key);
        }
    }

    std::string name_;
    JobFile job_;
    std::set<std::string> seen_;
};

TrainingJob job_of(const JobFile& file, size_t examples, size_t inputs, size_t classes) {
    TrainingJob job;
    job.shape.widths = {inputs};
    job.shape.widths.insert(job.shape.widths.end(), file.hidden.begin(), file.hidden.end());
    job.shape.widths.push_back(classes == 2 ? 1 : classes);
    job.options = file.options;
    job.epochs = file.epochs;
    job.decay = file.decay;
    job.examples = examples;
    job.input_owner = file.input_owner;
    job.label_owner = file.label_owner;
    job.protocol = std::string(file.truncation == Truncation::kExact ? "exact" : "fast") +
                   (file.security == Security::kMalicious ? "|malicious" : "|semi-honest") +
                   "|label " + std::to_string(file.label.size()) + " " + file.label;
    return job;
}

}  // namespace

JobFile parse_job(std::string_view text, const std::string& name) {
    if (text.size() > kMaxJobBytes) {
        throw Error(ErrorCode::kInvalid, name + " has more than 1 MiB, which is no job file");
    }
    try {
        return JobReader(name).read(YAML::Load(std::string(text)));
    } catch (const YAML::Exception& error) {
        throw Error(ErrorCode::kInvalid, name + " line " + std::to_string(error.mark.line + 1) +
                                             ": not YAML: " + error.msg);
    }
}

JobFile read_job(const std::string& path) {
    const Bytes bytes = read_file(path, kMaxJobBytes);
    return parse_job({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

TrainingJob job_for(const JobFile& file, const data::Dataset& train_set) {
    if (train_set.labels.empty() || train_set.class_names.size() < 2) {
        throw Error(ErrorCode::kInvalid,
                    "data set " + train_set.name + " has no labels of two or more classes",
                    "name the label column: label: COLUMN");
    }
    return job_of(file, static_cast<size_t>(train_set.size()),
                  static_cast<size_t>(train_set.example_size()), train_set.class_names.size());
}

TrainingJob public_job(const JobFile& file) {
    if (file.examples == 0) {
        throw Error(ErrorCode::kInvalid, "the job does not say examples, inputs and classes",
                    "parties without the data must know these numbers");
    }
    return job_of(file, file.examples, file.inputs, file.classes);
}

}  // namespace ward::mpc
