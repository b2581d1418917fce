#include "ward/audit/training_record.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "ward/audit/internal/json_reader.h"
#include "ward/core/error.h"

namespace ward::audit {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "ward-training-record-1";
constexpr size_t kMaxBytes = size_t{64} << 20;
constexpr size_t kMaxCurvePoints = 1'000'000;
constexpr size_t kMaxBins = 1000;
constexpr size_t kMaxDepth = 64;
constexpr double kMost = std::numeric_limits<double>::max();

template <typename Value>
Json or_null(const std::optional<Value>& value) {
    return value ? Json(*value) : Json(nullptr);
}

// ---- writing

Json data_json(const DataFacts& data) {
    return {{"name", data.name},
            {"digest", data.digest},
            {"train_examples", data.train_examples},
            {"test_examples", data.test_examples},
            {"class_names", data.class_names},
            {"bounds_read_from_data", data.bounds_read_from_data},
            {"grouped", data.grouped}};
}

Json privacy_json(const PrivacyFacts& privacy) {
    return {{"epsilon_upper", privacy.epsilon_upper},
            {"epsilon_lower", privacy.epsilon_lower},
            {"rdp_epsilon", privacy.rdp_epsilon},
            {"delta", privacy.delta},
            {"adjacency", privacy.adjacency},
            {"unit", privacy.unit},
            {"max_contributions", privacy.max_contributions},
            {"sampler", privacy.sampler},
            {"noise_multiplier", privacy.noise_multiplier},
            {"clipping", privacy.clipping},
            {"clipping_norm", privacy.clipping_norm},
            {"sampling_rate", privacy.sampling_rate},
            {"steps", privacy.steps},
            {"statement", privacy.statement},
            {"not_covered", privacy.not_covered},
            {"warnings", privacy.warnings},
            {"plan", privacy.plan_json.empty() ? Json(nullptr) : Json::parse(privacy.plan_json)}};
}

Json curve_json(const std::vector<CurvePoint>& curve) {
    Json list = Json::array();
    for (const CurvePoint& point : curve) {
        list.push_back({{"step", point.step},
                        {"epoch", point.epoch},
                        {"epsilon", or_null(point.epsilon)},
                        {"test_accuracy", or_null(point.test_accuracy)}});
    }
    return list;
}

Json evaluation_json(const Evaluation& evaluation) {
    Json bins = Json::array();
    for (const ReliabilityBin& bin : evaluation.reliability) {
        bins.push_back({{"low", bin.low},
                        {"high", bin.high},
                        {"examples", bin.examples},
                        {"mean_confidence", bin.mean_confidence},
                        {"accuracy", bin.accuracy}});
    }
    std::string right;
    for (uint8_t flag : evaluation.right) right += flag != 0 ? '1' : '0';
    return {{"accuracy", evaluation.accuracy},
            {"correct", evaluation.correct},
            {"examples", evaluation.examples},
            {"confusion", evaluation.confusion},
            {"reliability", bins},
            {"calibration_error", or_null(evaluation.calibration_error)},
            {"log_loss", or_null(evaluation.log_loss)},
            {"auc", or_null(evaluation.auc)},
            {"right", right.empty() ? Json(nullptr) : Json(right)}};
}

// ---- reading

DataFacts read_data(JsonReader reader) {
    DataFacts data;
    data.name = reader.text("name");
    data.digest = reader.text("digest");
    data.train_examples = reader.count("train_examples");
    data.test_examples = reader.count("test_examples");
    data.class_names = reader.texts_or_none("class_names");
    data.bounds_read_from_data = reader.boolean_or("bounds_read_from_data", false);
    data.grouped = reader.boolean_or("grouped", false);
    reader.refuse_unknown();
    return data;
}

ModelFacts read_model(JsonReader reader) {
    ModelFacts model;
    model.name = reader.text("name");
    model.parameters = reader.count("parameters");
    model.digest = reader.text("digest");
    model.file = reader.text_or("file", "");
    reader.refuse_unknown();
    return model;
}

// Further members are allowed: this is what model cards carry too.
PrivacyFacts read_privacy(JsonReader reader) {
    PrivacyFacts privacy;
    privacy.epsilon_upper = reader.number("epsilon_upper", 0, kMost);
    privacy.epsilon_lower =
        reader.number_or_none("epsilon_lower", 0, privacy.epsilon_upper).value_or(0);
    privacy.rdp_epsilon = reader.number_or_none("rdp_epsilon", 0, kMost).value_or(0);
    privacy.delta = reader.number("delta", 0, 1);
    privacy.adjacency = reader.text("adjacency");
    privacy.unit = reader.text("unit");
    if (reader.find("max_contributions") != nullptr)
        privacy.max_contributions = reader.count("max_contributions");
    privacy.sampler = reader.text("sampler");
    privacy.noise_multiplier = reader.number("noise_multiplier", 0, kMost);
    privacy.clipping = reader.text_or("clipping", "");
    privacy.clipping_norm = reader.number("clipping_norm", 0, kMost);
    privacy.sampling_rate = reader.number("sampling_rate", 0, 1);
    privacy.steps = reader.count("steps");
    privacy.statement = reader.text("statement");
    privacy.not_covered = reader.texts_or_none("not_covered");
    privacy.warnings = reader.texts_or_none("warnings");
    if (const auto* plan = reader.find("plan")) privacy.plan_json = plan->dump();
    if (privacy.delta <= 0 || privacy.delta >= 1) reader.fail("delta must be between 0 and 1");
    if (privacy.sampling_rate <= 0) reader.fail("sampling_rate must be > 0");
    return privacy;
}

CurvePoint read_point(JsonReader reader) {
    CurvePoint point;
    point.step = reader.count("step");
    point.epoch = reader.number("epoch", 0, kMost);
    point.epsilon = reader.number_or_none("epsilon", 0, kMost);
    point.test_accuracy = reader.number_or_none("test_accuracy", 0, 1);
    reader.refuse_unknown();
    return point;
}

ReliabilityBin read_bin(JsonReader reader) {
    ReliabilityBin bin;
    bin.low = reader.number("low", 0, 1);
    bin.high = reader.number("high", 0, 1);
    bin.examples = reader.count("examples");
    bin.mean_confidence = reader.number("mean_confidence", 0, 1);
    bin.accuracy = reader.number("accuracy", 0, 1);
    reader.refuse_unknown();
    return bin;
}

void read_confusion(JsonReader& reader, Evaluation& evaluation) {
    const auto& rows = reader.need("confusion");
    int64_t total = 0, diagonal = 0;
    if (!rows.is_array()) reader.fail("confusion must be an array of rows");
    for (const auto& row : rows) {
        if (!row.is_array() || row.size() != rows.size()) reader.fail("confusion must be square");
        std::vector<int64_t> counts;
        for (const auto& cell : row) {
            if (!cell.is_number_unsigned() || cell.get<uint64_t>() > uint64_t{1} << 40) {
                reader.fail("confusion must hold whole numbers >= 0");
            }
            if (counts.size() == evaluation.confusion.size()) diagonal += cell.get<int64_t>();
            counts.push_back(cell.get<int64_t>());
            total += counts.back();
        }
        evaluation.confusion.push_back(std::move(counts));
    }
    if (total != evaluation.examples || diagonal != evaluation.correct) {
        reader.fail("confusion has " + std::to_string(total) + " examples, " +
                    std::to_string(diagonal) + " of them correct; expected " +
                    std::to_string(evaluation.examples) + " and " +
                    std::to_string(evaluation.correct));
    }
}

void read_right(JsonReader& reader, Evaluation& evaluation) {
    const std::string flags = reader.text_or("right", "");
    if (flags.empty()) return;
    int64_t count = 0;
    for (char flag : flags) {
        if (flag != '0' && flag != '1') reader.fail("right must hold 0 and 1 only");
        evaluation.right.push_back(flag == '1' ? 1 : 0);
        count += flag == '1' ? 1 : 0;
    }
    if (static_cast<int64_t>(flags.size()) != evaluation.examples || count != evaluation.correct) {
        reader.fail("right must hold one character per example and as many 1 as correct");
    }
}

Evaluation read_evaluation(JsonReader reader) {
    Evaluation evaluation;
    evaluation.examples = reader.count("examples");
    evaluation.correct = reader.count("correct");
    if (evaluation.examples < 1 || evaluation.correct > evaluation.examples) {
        reader.fail("examples must be at least 1 and correct at most examples");
    }
    evaluation.accuracy =
        static_cast<double>(evaluation.correct) / static_cast<double>(evaluation.examples);
    const double stated = reader.number("accuracy", 0, 1);
    if (std::abs(stated - evaluation.accuracy) > 1e-6) {
        reader.fail("accuracy must be correct / examples = " + std::to_string(evaluation.accuracy) +
                    ", got " + std::to_string(stated));
    }
    read_confusion(reader, evaluation);
    reader.each("reliability", kMaxBins, [&](JsonReader bin) {
        evaluation.reliability.push_back(read_bin(std::move(bin)));
    });
    evaluation.calibration_error = reader.number_or_none("calibration_error", 0, 1);
    evaluation.log_loss = reader.number_or_none("log_loss", 0, kMost);
    evaluation.auc = reader.number_or_none("auc", 0, 1);
    read_right(reader, evaluation);
    reader.refuse_unknown();
    return evaluation;
}

Resources read_resources(JsonReader reader) {
    Resources resources;
    resources.seconds = reader.number("seconds", 0, kMost);
    resources.peak_memory_bytes = reader.count("peak_memory_bytes");
    resources.threads = reader.count("threads");
    resources.device = reader.text("device");
    resources.cpu = reader.text("cpu");
    resources.precision = reader.text("precision");
    reader.refuse_unknown();
    return resources;
}

// The deepest nesting of brackets outside strings, in text that need not be JSON.
size_t nesting(std::string_view text) {
    size_t depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            deepest = std::max(deepest, ++depth);
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return deepest;
}

nlohmann::json parse_object(std::string_view text, const std::string& name) {
    if (text.size() > kMaxBytes) {
        throw Error(ErrorCode::kCorrupt, name + ": a training record has at most " +
                                             std::to_string(kMaxBytes) + " bytes");
    }
    if (nesting(text) > kMaxDepth) {
        throw Error(ErrorCode::kCorrupt, name + ": JSON is nested too deep");
    }
    try {
        return nlohmann::json::parse(text);
    } catch (const nlohmann::json::exception&) {
        throw Error(ErrorCode::kCorrupt, name + ": not valid JSON",
                    "give the .record.json files that `ward train` wrote");
    }
}

}  // namespace

std::string to_json(const PrivacyFacts& privacy) { return privacy_json(privacy).dump(); }

std::string to_json(const TrainingRecord& record) {
    const Resources& resources = record.resources;
    const Json object = {
        {"format", kFormat},
        {"created_utc", record.created_utc},
        {"software", record.software},
        {"data", data_json(record.data)},
        {"model",
         {{"name", record.model.name},
          {"parameters", record.model.parameters},
          {"digest", record.model.digest},
          {"file", record.model.file}}},
        {"private", record.privacy.has_value()},
        {"privacy", record.privacy ? privacy_json(*record.privacy) : Json(nullptr)},
        {"curve", curve_json(record.curve)},
        {"evaluation", record.evaluation ? evaluation_json(*record.evaluation) : Json(nullptr)},
        {"resources",
         {{"seconds", resources.seconds},
          {"peak_memory_bytes", resources.peak_memory_bytes},
          {"threads", resources.threads},
          {"device", resources.device},
          {"cpu", resources.cpu},
          {"precision", resources.precision}}},
        {"command", record.command}};
    return object.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

PrivacyFacts parse_privacy_facts(std::string_view json, const std::string& name) {
    const nlohmann::json object = parse_object(json, name);
    return read_privacy(JsonReader(object, name + ": "));
}

TrainingRecord parse_training_record(std::string_view json, const std::string& name) {
    const nlohmann::json object = parse_object(json, name);
    JsonReader reader(object, name + ": ");
    if (const std::string format = reader.text("format"); format != kFormat) {
        throw Error(ErrorCode::kUnsupported, name + ": format must be \"" + kFormat + "\"",
                    "give the .record.json files that `ward train` wrote");
    }
    TrainingRecord record;
    record.created_utc = reader.text_or("created_utc", "");
    record.software = reader.text_or("software", "");
    record.data = read_data(reader.object("data"));
    record.model = read_model(reader.object("model"));
    if (reader.find("privacy") != nullptr) record.privacy = read_privacy(reader.object("privacy"));
    if (reader.boolean("private") != record.privacy.has_value()) {
        reader.fail("private must be true exactly when privacy is an object");
    }
    reader.each("curve", kMaxCurvePoints,
                [&](JsonReader point) { record.curve.push_back(read_point(std::move(point))); });
    if (reader.find("evaluation") != nullptr) {
        record.evaluation = read_evaluation(reader.object("evaluation"));
        const size_t classes = record.data.class_names.size();
        if (classes != 0 && classes != record.evaluation->confusion.size()) {
            reader.fail("confusion must have a row for each of the " + std::to_string(classes) +
                        " class_names");
        }
    }
    record.resources = read_resources(reader.object("resources"));
    record.command = reader.text("command");
    reader.refuse_unknown();
    return record;
}

}  // namespace ward::audit
