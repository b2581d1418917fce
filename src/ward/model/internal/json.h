// JSON from untrusted files: no duplicate keys, bounded depth, errors as ward::Error.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "ward/core/error.h"

namespace ward::model {

using Json = nlohmann::ordered_json;  // to write: keys in the order of insertion
using JsonTree = nlohmann::json;      // to read: keys found in logarithmic time, also hostile ones

// Parses an object. `what` begins the message of every error. Throws Error with `code`.
JsonTree parse_json_object(std::string_view text, const std::string& what, int max_depth,
                           ErrorCode code);

// Compact text. Throws Error kInvalid where a string is not UTF-8.
std::string json_text(const Json& value, const std::string& what);

}  // namespace ward::model
