#include "ward/attack/internal/inference_json.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "ward/core/error.h"

namespace ward::attack {
namespace {

using nlohmann::json;

constexpr int64_t kMostClasses = 1 << 20;

[[noreturn]] void fail(const std::string& what) {
    throw Error(ErrorCode::kInvalid, "the service answers " + what,
                "the Open Inference Protocol wants {\"outputs\": [{\"name\", \"shape\", "
                "\"datatype\", \"data\"}]}");
}

std::string printable(const std::string& text, size_t most) {
    std::string result;
    for (const char c : text) {
        if (result.size() >= most) return result + "...";
        result +=
            static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~' ? ' ' : c;
    }
    return result;
}

// Data may come flat or nested.
void flatten(const json& data, int depth, std::vector<const json*>& out) {
    if (depth > 8) fail("with data nested too deeply");
    for (const json& item : data) {
        if (item.is_array()) {
            flatten(item, depth + 1, out);
        } else {
            out.push_back(&item);
        }
    }
}

const json& chosen_output(const json& answer, const std::string& name) {
    const auto outputs = answer.find("outputs");
    if (outputs == answer.end() || !outputs->is_array() || outputs->empty())
        fail("without outputs");
    for (const json& output : *outputs) {
        if (!output.is_object()) fail("with an output that is no object");
        if (name.empty() || output.value("name", json()) == name) return output;
    }
    fail("without an output named " + printable(name, 64));
}

std::vector<int64_t> shape_of(const json& output) {
    std::vector<int64_t> shape;
    const auto found = output.find("shape");
    if (found == output.end() || !found->is_array()) fail("without a shape");
    for (const json& size : *found) {
        if (!size.is_number_integer() || size.get<int64_t>() < 0) fail("with a shape that is none");
        shape.push_back(size.get<int64_t>());
    }
    return shape;
}

float finite_number(const json& value) {
    if (!value.is_number()) fail("with values that are not finite numbers");
    const auto number = value.get<float>();
    if (!std::isfinite(number)) fail("with values that are not finite numbers");
    return number;
}

// "0.93:4:dog" -> 4, 0.93
void read_ranked(const json& value, std::vector<float>& row) {
    if (!value.is_string()) fail("with classes that are not \"score:class\" strings");
    const std::string& text = value.get_ref<const std::string&>();
    char* end = nullptr;
    const float score = std::strtof(text.c_str(), &end);
    if (end == text.c_str() || *end != ':' || !std::isfinite(score))
        fail("with classes that are not \"score:class\" strings");
    const char* number = end + 1;
    const long index = std::strtol(number, &end, 10);
    if (end == number || (*end != ':' && *end != 0) || index < 0 || index >= kMostClasses)
        fail("with a class that is no number");
    row.push_back(static_cast<float>(index));
    row.push_back(score);
}

}  // namespace

InferenceMetadata read_metadata(const std::string& text, const std::string& input,
                                const std::string& output) {
    InferenceMetadata result{input, output, {}};
    const json all = json::parse(text, nullptr, false);
    if (!all.is_object()) return result;
    const auto first = [&](const char* key, const std::string& wanted) -> json {
        const auto list = all.find(key);
        if (list == all.end() || !list->is_array()) return {};
        for (const json& item : *list) {
            if (!item.is_object() || !item.value("name", json()).is_string()) continue;
            if (wanted.empty() || item["name"] == wanted) return item;
        }
        return {};
    };
    const json in = first("inputs", input), out = first("outputs", output);
    if (in.is_object()) result.input = in["name"].get<std::string>();
    if (out.is_object()) result.output = out["name"].get<std::string>();
    if (!in.is_object() || !in.value("shape", json()).is_array()) return result;
    bool batch = true, fixed = true;
    for (const json& size : in["shape"]) {
        const bool number = size.is_number_integer() && size.get<int64_t>() > 0;
        if (!batch && number) result.input_shape.push_back(size.get<int64_t>());
        fixed = fixed && (batch || number);
        batch = false;
    }
    if (!fixed) result.input_shape.clear();
    return result;
}

std::string write_inference_request(const std::string& input, const std::string& output,
                                    const std::vector<int64_t>& shape, const float* values,
                                    int64_t count) {
    json head = {{"inputs", json::array({{{"name", input.empty() ? "input" : input},
                                          {"shape", shape},
                                          {"datatype", "FP32"},
                                          {"data", json::array()}}})}};
    if (!output.empty()) head["outputs"] = json::array({{{"name", output}}});
    std::string text = head.dump();
    // Numbers are written in their shortest exact form, which json's own doubles are not.
    std::string numbers;
    char buffer[32];
    for (int64_t i = 0; i < count; ++i) {
        const auto end = std::to_chars(buffer, buffer + sizeof buffer, values[i]).ptr;
        if (i > 0) numbers += ',';
        numbers.append(buffer, end);
    }
    text.insert(text.find("\"data\":[") + 8, numbers);
    return text;
}

InferenceAnswer read_inference_answer(const std::string& text, const std::string& output,
                                      int64_t queries) {
    const json answer = json::parse(text, nullptr, false);
    if (answer.is_discarded()) {
        fail(text.find("NaN") != std::string::npos || text.find("nfinity") != std::string::npos
                 ? "with values that are not finite numbers"
                 : "with something that is not JSON: " + printable(text, 60));
    }
    if (!answer.is_object()) fail("with JSON that is no object");
    const json& chosen = chosen_output(answer, output);
    const std::vector<int64_t> shape = shape_of(chosen);
    const std::string type = chosen.value("datatype", json("")).is_string()
                                 ? chosen.value("datatype", std::string())
                                 : std::string();
    const auto data = chosen.find("data");
    if (data == chosen.end() || !data->is_array()) fail("without data");
    std::vector<const json*> values;
    flatten(*data, 0, values);
    const int64_t per_query = shape.size() == 2 ? shape[1] : 1;
    const bool fits = (shape.size() == 1 || shape.size() == 2) && shape[0] == queries &&
                      per_query >= 1 && per_query <= kMostClasses &&
                      static_cast<int64_t>(values.size()) == queries * per_query;
    if (!fits) {
        std::string got;
        for (const int64_t size : shape) got += (got.empty() ? "" : ", ") + std::to_string(size);
        fail(std::to_string(values.size()) + " values of shape {" + got + "} to " +
             std::to_string(queries) + " queries");
    }
    InferenceAnswer result;
    const bool integers = type.starts_with("INT") || type.starts_with("UINT");
    result.kind = type == "BYTES"              ? Answer::kTopK
                  : integers && per_query == 1 ? Answer::kLabels
                                               : Answer::kScores;
    if (result.kind == Answer::kScores && per_query < 2)
        fail("with one score per query; a classifier has one for each class");
    result.rows.resize(static_cast<size_t>(queries));
    for (size_t i = 0; i < values.size(); ++i) {
        std::vector<float>& row = result.rows[i / static_cast<size_t>(per_query)];
        if (result.kind == Answer::kTopK) {
            read_ranked(*values[i], row);
            continue;
        }
        row.push_back(finite_number(*values[i]));
        if (result.kind == Answer::kLabels && (row.back() < 0 || row.back() >= kMostClasses))
            fail("with a label that is no class");
    }
    return result;
}

std::string service_message(const std::string& text) {
    const json answer = json::parse(text, nullptr, false);
    if (answer.is_object() && answer.value("error", json()).is_string())
        return printable(answer["error"].get<std::string>(), 160);
    return printable(text, 80);
}

}  // namespace ward::attack
