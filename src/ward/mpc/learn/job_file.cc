#include "ward/mpc/learn/job_file.h"

#include <yaml-cpp/yaml.h>

#include <map>
#include <set>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/age.h"
#include "ward/mpc/join.h"
#include "ward/mpc/softmax.h"

namespace ward::mpc {
namespace {

constexpr size_t kMaxJobBytes = 1 << 20;
constexpr size_t kMaxLayers = 16;
constexpr int64_t kMaxWidth = 65536;
constexpr int64_t kMaxEpochs = 10'000;
constexpr int64_t kMaxBatch = 65536;
constexpr int64_t kMaxExamples = int64_t{1} << 32;
constexpr int64_t kMaxInputs = 1 << 20;
constexpr int64_t kMaxClasses = static_cast<int64_t>(kMaxSoftmaxColumns);
constexpr size_t kIdDigits = 64;
constexpr size_t kMaxRecipients = 64;
constexpr size_t kMaxNumbers = 4096;
constexpr int64_t kMaxSide = 4096;  // of an image

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
        if (!job_.layers.empty() && !job_.hidden.empty())
            fail(root, "hidden and layers exclude each other");
        if (!job_.input_shape.empty() && job_.inputs == 0 && job_.owners.empty()) {
            job_.inputs = 1;
            for (int64_t side : job_.input_shape) job_.inputs *= static_cast<size_t>(side);
        }
        const bool numbers[] = {job_.examples > 0, job_.inputs > 0, job_.classes > 0};
        if (numbers[0] != numbers[1] || numbers[0] != numbers[2]) {
            fail(root, "examples, inputs and classes go together");
        }
        check_owners(root, numbers[0]);
        if (job_.data.empty() && job_.owners.empty() && !numbers[0]) {
            fail(root, "data is missing");
        }
        if (job_.security == Security::kMalicious && job_.truncation == Truncation::kFast) {
            fail(root, "security: malicious needs truncation: exact");
        }
        if (job_.options.clipping_norm > 0 && job_.truncation == Truncation::kFast) {
            fail(root, "privacy needs truncation: exact");
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

    void check_owners(const YAML::Node& root, bool numbers) const {
        if (job_.owners.empty()) {
            const bool alone = job_.alignment != Alignment::kNone || job_.distinct;
            if (alone || !job_.recipients.empty()) {
                fail(root, "align, distinct and recipients need owners");
            }
            return;
        }
        if (numbers || !job_.data.empty()) {
            fail(root, "owners take the place of data, examples, inputs and classes");
        }
        if (job_.recipients.empty()) fail(root, "recipients are missing: who may have the result");
        const bool one = job_.owners.size() == 1;
        if (one != (job_.alignment == Alignment::kNone)) {
            fail(root, one ? "one owner needs no align" : "several owners need align");
        }
        if (job_.distinct && job_.alignment != Alignment::kHorizontal) {
            fail(root, "distinct goes with align: horizontal");
        }
    }

    // [{name: bank-a, id: HEX}, ...]
    void read_owners(const YAML::Node& node) {
        if (!node.IsSequence() || node.size() == 0 || node.size() > kMaxJoinTables) {
            fail(node, "owners must be a list of 1 to 16 owners");
        }
        for (const YAML::Node& item : node) {
            if (!item.IsMap()) fail(item, "an owner must be {name: .., id: ..}");
            JobFile::Owner owner;
            for (const auto& member : item) {
                const std::string key = text(member.first, "a key");
                if (key != "name" && key != "id") fail(member.first, "an owner has no " + key);
                (key == "name" ? owner.name : owner.id) = text(member.second, key);
            }
            const bool digits = owner.id.find_first_not_of("0123456789abcdef") == std::string::npos;
            if (owner.name.empty() || owner.id.size() != kIdDigits || !digits) {
                fail(item,
                     "an owner needs its name and the whole id, 64 digits, that `ward mpc share` "
                     "printed");
            }
            for (const JobFile::Owner& other : job_.owners) {
                if (other.name == owner.name) fail(item, owner.name + " stands twice");
            }
            job_.owners.push_back(std::move(owner));
        }
    }

    void read_alignment(const YAML::Node& node) {
        const std::string kind = text(node, "align");
        if (kind == "vertical") {
            job_.alignment = Alignment::kVertical;
        } else if (kind == "horizontal") {
            job_.alignment = Alignment::kHorizontal;
        } else if (kind == "rows") {
            job_.alignment = Alignment::kRows;
        } else {
            fail(node, "align must be vertical, rows or horizontal");
        }
    }

    void read_recipients(const YAML::Node& node) {
        if (!node.IsSequence() || node.size() == 0 || node.size() > kMaxRecipients) {
            fail(node, "recipients must be a list of 1 to 64 public keys, age1...");
        }
        for (const YAML::Node& item : node) {
            try {
                job_.recipients.push_back(
                    crypto::AgeRecipient::parse(text(item, "a recipient")).text());
            } catch (const Error& error) {
                fail(item, error.message());
            }
        }
    }

    std::vector<double> numbers(const YAML::Node& node, const std::string& what,
                                bool (*valid)(double), const char* range) const {
        if (!node.IsSequence() || node.size() > kMaxNumbers) {
            fail(node, what + " must be a list of at most 4096 numbers");
        }
        std::vector<double> out;
        for (const YAML::Node& item : node) out.push_back(number(item, what, valid, range));
        return out;
    }

    // {bound: 1, edges: [..], quantiles: [..], epsilon: 1, delta: 1e-6}
    void read_statistics(const YAML::Node& node) {
        if (!node.IsMap()) fail(node, "statistics must be {bound: .., edges: [..], ..}");
        StatisticsRequest& request = job_.statistics.emplace();
        double epsilon = 0;
        const auto probability = [](double v) { return v > 0 && v <= 1; };
        const auto below_one = [](double v) { return v > 0 && v < 1; };
        const auto positive = [](double v) { return v > 0 && v < 1e9; };
        for (const auto& item : node) {
            const std::string key = text(item.first, "a key");
            if (key == "bound") {
                const auto valid = [](double v) { return v >= 0x1p-8 && v <= 8192; };
                request.bound = number(item.second, key, valid, "[2^-8, 8192]");
            } else if (key == "edges") {
                const auto valid = [](double v) { return v >= -8192 && v <= 8192; };
                request.edges = numbers(item.second, key, valid, "[-8192, 8192]");
            } else if (key == "quantiles") {
                request.quantiles = numbers(item.second, key, probability, "(0, 1]");
            } else if (key == "epsilon") {
                epsilon = number(item.second, key, positive, "(0, 1e9)");
            } else if (key == "delta") {
                job_.statistics_delta = number(item.second, key, below_one, "(0, 1)");
            } else {
                fail(item.first, "statistics has no " + key);
            }
        }
        if ((epsilon > 0) != (job_.statistics_delta > 0))
            fail(node, "epsilon and delta go together");
        if (epsilon == 0) return;
        if (!request.quantiles.empty()) fail(node, "quantiles have no private form; give edges");
        request.noise_multiplier = statistics_noise(epsilon, job_.statistics_delta);
    }

    // [channels, height, width]
    void read_input_shape(const YAML::Node& node) {
        if (!node.IsSequence() || node.size() != 3) {
            fail(node, "input_shape must be [channels, height, width]");
        }
        for (const YAML::Node& side : node) {
            job_.input_shape.push_back(integer(side, "a number of input_shape", 1, kMaxSide));
        }
    }

    // `- relu`, or `- conv2d: {out_channels: 20, kernel: 5}`: names as in a model spec.
    void read_layers(const YAML::Node& node) {
        if (!node.IsSequence() || node.size() > kMaxLayers) {
            fail(node, "layers must be a list of at most 16 layers");
        }
        for (const YAML::Node& item : node) {
            if (item.IsScalar()) {
                read_layer(item, item.Scalar(), YAML::Node());
            } else if (item.IsMap() && item.size() == 1) {
                const auto only = item.begin();
                read_layer(item, text(only->first, "a layer"), only->second);
            } else {
                fail(item, "a layer must be a name, or a name with its numbers");
            }
        }
    }

    void read_layer(const YAML::Node& at, const std::string& name, const YAML::Node& members) {
        using Kind = NetworkLayer::Kind;
        static const std::map<std::string, std::pair<Kind, std::set<std::string>>> kinds = {
            {"linear", {Kind::kDense, {"out_features"}}},
            {"conv2d", {Kind::kConvolution, {"out_channels", "kernel", "stride", "padding"}}},
            {"avg_pool2d", {Kind::kAveragePool, {"kernel", "stride"}}},
            {"max_pool2d", {Kind::kMaxPool, {"kernel", "stride"}}},
            {"group_norm", {Kind::kGroupNorm, {"groups"}}},
            {"relu", {Kind::kRelu, {}}}};
        const auto found = kinds.find(name);
        if (found == kinds.end()) {
            fail(at,
                 "layers are linear, conv2d, avg_pool2d, max_pool2d, group_norm and relu, got " +
                     name);
        }
        const bool pool = found->second.second.contains("stride") && name != "conv2d";
        NetworkLayer layer{.kind = found->second.first,
                           .outputs = 0,
                           .kernel = pool ? size_t{2} : 0,
                           .stride = pool ? size_t{2} : 1,
                           .padding = 0};
        for (const auto& member : members) {
            const std::string key = text(member.first, "a key");
            if (!found->second.second.contains(key)) fail(member.first, name + " has no " + key);
            const auto value = static_cast<size_t>(
                integer(member.second, key, key == "padding" ? 0 : 1, kMaxWidth));
            (key == "kernel"    ? layer.kernel
             : key == "stride"  ? layer.stride
             : key == "padding" ? layer.padding
             : key == "groups"  ? layer.groups
                                : layer.outputs) = value;
        }
        if (layer.kind == Kind::kGroupNorm && layer.groups == 0) layer.groups = 1;
        const bool sized = name != "linear" && name != "conv2d";
        if (!sized && layer.outputs == 0) fail(at, name + " needs the number of its outputs");
        if (name == "conv2d" && layer.kernel == 0) fail(at, "conv2d needs a kernel");
        job_.layers.push_back(layer);
    }

    // {clipping_norm: 1, delta: 1e-5, epsilon: 3}, or noise_multiplier in place of epsilon
    void read_privacy(const YAML::Node& node) {
        if (!node.IsMap())
            fail(node, "privacy must be {clipping_norm: .., delta: .., epsilon: ..}");
        const auto positive = [](double v) { return v > 0 && v < 1e9; };
        const auto below_one = [](double v) { return v > 0 && v < 1; };
        for (const auto& item : node) {
            const std::string key = text(item.first, "a key");
            if (key == "clipping_norm") {
                const auto valid = [](double v) { return v >= 1.0 / 16 && v <= 256; };
                job_.options.clipping_norm = number(item.second, key, valid, "[1/16, 256]");
            } else if (key == "delta") {
                job_.delta = number(item.second, key, below_one, "(0, 1)");
            } else if (key == "epsilon") {
                job_.epsilon = number(item.second, key, positive, "(0, 1e9)");
            } else if (key == "noise_multiplier") {
                job_.options.noise_multiplier = number(item.second, key, positive, "(0, 1e9)");
            } else {
                fail(item.first, "privacy has no " + key);
            }
        }
        const bool both = job_.epsilon > 0 && job_.options.noise_multiplier > 0;
        const bool none = job_.epsilon == 0 && job_.options.noise_multiplier == 0;
        if (job_.options.clipping_norm == 0 || job_.delta == 0 || both || none) {
            fail(node,
                 "privacy needs clipping_norm, delta, and either epsilon or noise_multiplier");
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
        } else if (key == "layers") {
            read_layers(value);
        } else if (key == "input_shape") {
            read_input_shape(value);
        } else if (key == "loss") {
            const std::string kind = text(value, key);
            if (kind != "cross-entropy" && kind != "squared") {
                fail(value, "loss must be cross-entropy or squared");
            }
            job_.options.loss = kind == "squared" ? Loss::kSquared : Loss::kCrossEntropy;
        } else if (key == "owners") {
            read_owners(value);
        } else if (key == "align") {
            read_alignment(value);
        } else if (key == "recipients") {
            read_recipients(value);
        } else if (key == "distinct") {
            if (!value.IsScalar() || !YAML::convert<bool>::decode(value, job_.distinct)) {
                fail(value, "distinct must be true or false");
            }
        } else if (key == "statistics") {
            read_statistics(value);
        } else if (key == "optimizer") {
            const std::string kind = text(value, key);
            if (kind != "sgd" && kind != "adam") fail(value, "optimizer must be sgd or adam");
            job_.options.optimizer = kind == "adam" ? Optimizer::kAdam : Optimizer::kSgd;
        } else if (key == "second_momentum") {
            const auto valid = [](double v) { return v >= 0 && v < 1; };
            job_.options.second_momentum = number(value, key, valid, "[0, 1)");
        } else if (key == "privacy") {
            read_privacy(value);
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

}  // namespace

JobFile parse_job(std::string_view text, const std::string& name) {
    if (text.size() > kMaxJobBytes) {
        throw Error(ErrorCode::kInvalid, name + " has more than 1 MiB, which is no job file");
    }
    try {
        JobFile file = JobReader(name).read(YAML::Load(std::string(text)));
        file.text = text;
        return file;
    } catch (const YAML::Exception& error) {
        throw Error(ErrorCode::kInvalid, name + " line " + std::to_string(error.mark.line + 1) +
                                             ": not YAML: " + error.msg);
    }
}

JobFile read_job(const std::string& path) {
    const Bytes bytes = read_file(path, kMaxJobBytes);
    return parse_job({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace ward::mpc
