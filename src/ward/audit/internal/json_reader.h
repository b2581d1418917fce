// Members of a JSON object from an untrusted file, with errors that name the member's path.
#pragma once

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ward/core/error.h"

namespace ward::audit {

class JsonReader {
  public:
    using Json = nlohmann::json;

    // `where` begins every message: "file.json: data".
    JsonReader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
        if (!object.is_object()) fail("must be a JSON object");
    }

    // Nothing where the member is absent or null.
    const Json* find(const char* key) {
        known_.insert(key);
        const auto found = object_.find(key);
        return found == object_.end() || found->is_null() ? nullptr : &*found;
    }
    const Json& need(const char* key) {
        const Json* value = find(key);
        if (value == nullptr) fail(std::string(key) + " is missing");
        return *value;
    }

    std::string text(const char* key) { return text_of(key, need(key)); }
    std::string text_or(const char* key, const std::string& other) {
        const Json* value = find(key);
        return value == nullptr ? other : text_of(key, *value);
    }
    std::vector<std::string> texts_or_none(const char* key) {
        std::vector<std::string> list;
        const Json* value = find(key);
        if (value == nullptr) return list;
        if (!value->is_array()) fail(std::string(key) + " must be an array of strings");
        for (const Json& item : *value) list.push_back(text_of(key, item));
        return list;
    }
    bool boolean(const char* key) {
        const Json& value = need(key);
        if (!value.is_boolean()) fail(std::string(key) + " must be true or false");
        return value.get<bool>();
    }
    bool boolean_or(const char* key, bool other) {
        return find(key) == nullptr ? other : boolean(key);
    }

    // A whole number >= 0.
    int64_t count(const char* key) {
        const Json& value = need(key);
        if (!value.is_number_unsigned() || value.get<uint64_t>() > uint64_t{1} << 62) {
            fail(std::string(key) + " must be a whole number >= 0");
        }
        return value.get<int64_t>();
    }
    // A finite number within [least, most].
    double number(const char* key, double least, double most) {
        const Json& value = need(key);
        const double number = value.is_number() ? value.get<double>() : std::nan("");
        if (!(number >= least && number <= most)) {
            fail(std::string(key) + " must be a number between " + short_text(least) + " and " +
                 short_text(most) + ", got " + value.dump().substr(0, 40));
        }
        return number;
    }
    std::optional<double> number_or_none(const char* key, double least, double most) {
        if (find(key) == nullptr) return std::nullopt;
        return number(key, least, most);
    }
    JsonReader object(const char* key) {
        return JsonReader(need(key), where_ + (where_.ends_with(": ") ? "" : ".") + key);
    }
    // Calls read(JsonReader) for each element of an array of objects.
    template <typename Read>
    void each(const char* key, size_t at_most, Read&& read) {
        const Json* list = find(key);
        if (list == nullptr) return;
        if (!list->is_array() || list->size() > at_most) {
            fail(std::string(key) + " must be an array of at most " + std::to_string(at_most));
        }
        for (size_t i = 0; i < list->size(); ++i) {
            read(JsonReader((*list)[i], where_ + (where_.ends_with(": ") ? "" : ".") + key + "[" +
                                            std::to_string(i) + "]"));
        }
    }

    // Throws when a member was never asked for.
    void refuse_unknown() const {
        for (const auto& [key, value] : object_.items()) {
            if (known_.count(key) != 0) continue;
            std::string shown = key.substr(0, 60);
            for (char& c : shown) {
                if (c < 0x20 || c > 0x7e) c = '?';
            }
            fail("unknown member \"" + shown + "\"");
        }
    }
    [[noreturn]] void fail(const std::string& message) const {
        throw Error(ErrorCode::kCorrupt, where_ + (where_.ends_with(": ") ? "" : ": ") + message,
                    "see docs/formats/training_record.md");
    }

  private:
    static std::string short_text(double value) {
        std::string text = nlohmann::json(value).dump();
        return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
    }
    std::string text_of(const char* key, const Json& value) const {
        if (!value.is_string()) fail(std::string(key) + " must be a string");
        return value.get<std::string>();
    }

    const Json& object_;
    std::string where_;
    std::set<std::string> known_;
};

}  // namespace ward::audit
