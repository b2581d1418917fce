#include <set>
#include <utility>
#include <vector>

#include "ward/model/internal/json.h"
#include "ward/model/internal/text.h"

namespace ward::model {
namespace {

// What is wrong with the JSON text, without the parser's own prefix "[json.exception...] ".
std::string parser_message(const std::exception& error) {
    const std::string text = error.what();
    const size_t end = text.find("] ");
    return text.rfind("[json", 0) == 0 && end != std::string::npos ? text.substr(end + 2) : text;
}

}  // namespace

JsonTree parse_json_object(std::string_view text, const std::string& what, int max_depth,
                           ErrorCode code) {
    std::vector<std::set<std::string>> keys;
    const auto callback = [&](int depth, JsonTree::parse_event_t event, JsonTree& parsed) {
        if (depth > max_depth) {
            throw Error(code,
                        what + ": JSON is nested more than " + std::to_string(max_depth) + " deep");
        }
        if (event == JsonTree::parse_event_t::object_start) keys.emplace_back();
        if (event == JsonTree::parse_event_t::object_end) keys.pop_back();
        if (event == JsonTree::parse_event_t::key &&
            !keys.back().insert(parsed.get<std::string>()).second) {
            throw Error(
                code, what + ": the key " + in_quotes(parsed.get<std::string>()) + " stands twice");
        }
        return true;
    };
    JsonTree value;
    try {
        value = JsonTree::parse(text, callback);
    } catch (const JsonTree::exception& error) {
        throw Error(code, what + ": not valid JSON: " + parser_message(error));
    }
    if (!value.is_object()) throw Error(code, what + ": not a JSON object");
    return value;
}

std::string json_text(const Json& value, const std::string& what) {
    try {
        return value.dump();
    } catch (const JsonTree::exception& error) {
        throw Error(ErrorCode::kInvalid, what + ": " + parser_message(error));
    }
}

}  // namespace ward::model
