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

// A first pass that builds nothing: syntax, depth and names that stand twice. The parser's own
// callback would do as well, but looks at all siblings after each nested object: quadratic in a
// hostile header.
class StrictPass : public nlohmann::json_sax<JsonTree> {
  public:
    StrictPass(std::string what, size_t max_depth, ErrorCode code)
        : what_(std::move(what)), max_depth_(max_depth), code_(code) {}

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(size_t) override { return open(); }
    bool end_object() override { return close(); }
    bool start_array(size_t) override { return open(); }
    bool end_array() override { return close(); }
    bool key(string_t& name) override {
        if (keys_.back().insert(name).second) return true;
        fail("the key " + in_quotes(name) + " stands twice");
    }
    bool parse_error(size_t, const std::string&,
                     const nlohmann::detail::exception& error) override {
        fail("not valid JSON: " + parser_message(error));
    }

  private:
    [[noreturn]] void fail(const std::string& message) const {
        throw Error(code_, what_ + ": " + message);
    }
    bool open() {
        if (keys_.size() == max_depth_) {
            fail("JSON is nested more than " + std::to_string(max_depth_) + " deep");
        }
        keys_.emplace_back();
        return true;
    }
    bool close() {
        keys_.pop_back();
        return true;
    }

    std::string what_;
    size_t max_depth_;
    ErrorCode code_;
    std::vector<std::set<std::string>> keys_;  // of the objects around the current place
};

}  // namespace

JsonTree parse_json_object(std::string_view text, const std::string& what, int max_depth,
                           ErrorCode code) {
    StrictPass strict(what, static_cast<size_t>(max_depth), code);
    JsonTree::sax_parse(text, &strict);
    JsonTree value = JsonTree::parse(text);
    if (!value.is_object()) throw Error(code, what + ": not a JSON object");
    return value;
}

std::string json_text(const Json& value, const std::string& what) {
    try {
        return value.dump();
    } catch (const Json::exception& error) {
        throw Error(ErrorCode::kInvalid, what + ": " + parser_message(error));
    }
}

}  // namespace ward::model
