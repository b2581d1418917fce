#include "ward/attack/query_ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "ward/core/digest.h"
#include "ward/core/error.h"

namespace ward::attack {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr size_t kCheckDigits = 16, kDigestDigits = 64;
constexpr size_t kMostAnswers = 1 << 20;  // numbers in one answer
constexpr size_t kMostBytes = size_t{1} << 33;

// One line: its check, a space, a JSON object. The check tells a whole line from a torn one.
std::string line_of(const json& object) {
    const std::string text = object.dump();
    return sha256_hex(text).substr(0, kCheckDigits) + " " + text + "\n";
}

// The object of a line without its end; null where check or JSON fail.
json object_of(const std::string& line) {
    if (line.size() < kCheckDigits + 3 || line[kCheckDigits] != ' ') return nullptr;
    const std::string text = line.substr(kCheckDigits + 1);
    if (sha256_hex(text).compare(0, kCheckDigits, line, 0, kCheckDigits) != 0) return nullptr;
    const json object = json::parse(text, nullptr, false);
    return object.is_object() ? object : json(nullptr);
}

bool is_digest(const json& value) {
    return value.is_string() && value.get_ref<const std::string&>().size() == kDigestDigits;
}

[[noreturn]] void fail(const std::string& what, const std::string& path) {
    throw Error(ErrorCode::kIo, what + " " + path + ": " + std::strerror(errno),
                "check the folder, its permissions and the space left");
}

}  // namespace

QueryLedger::QueryLedger(std::string path, const std::string& target) : path_(std::move(path)) {
    lock_.emplace(path_ + ".lock");
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor_ < 0) fail("cannot open", path_);
    try {
        load(target);
    } catch (...) {
        ::close(descriptor_);
        throw;
    }
}

QueryLedger::~QueryLedger() { ::close(descriptor_); }

void QueryLedger::load(const std::string& target) {
    const std::string text = read_text_file(path_, kMostBytes);
    if (text.find('\n') != std::string::npos) {
        read_lines(text, target);
        return;
    }
    // New, or torn off in its first line.
    cut_tail_ = !text.empty();
    if (!text.empty() && ::ftruncate(descriptor_, 0) != 0) fail("cannot shorten", path_);
    append(line_of({{"ward_query_ledger", kVersion}, {"target", target}}));
}

void QueryLedger::read_lines(const std::string& text, const std::string& target) {
    size_t place = 0, good = 0, number = 0;
    bool torn = false;
    while (place < text.size()) {
        const size_t end = text.find('\n', place);
        const std::string line = text.substr(place, end - place);
        ++number;
        const bool whole = end != std::string::npos;
        place = whole ? end + 1 : text.size();
        if (number == 1) {
            const json head = object_of(line);
            if (!head.is_object() || head.value("ward_query_ledger", json()) != kVersion) {
                throw Error(ErrorCode::kCorrupt, path_ + " is not a query ledger of version 1",
                            "give the file of an earlier run, or a new name");
            }
            if (head.value("target", json()) != target) {
                throw Error(ErrorCode::kRefused, path_ + " is the ledger of another target",
                            "give each target a ledger of its own");
            }
        } else if (!whole || !apply(line)) {
            torn = true;  // fine, unless a whole line follows
            continue;
        }
        if (torn) {
            throw Error(ErrorCode::kCorrupt,
                        path_ + " is damaged before line " + std::to_string(number),
                        "restore it from a copy, or begin a new one");
        }
        good = place;
    }
    cut_tail_ = torn;
    if (torn && ::ftruncate(descriptor_, static_cast<off_t>(good)) != 0)
        fail("cannot shorten", path_);
}

// False for a line that is not whole.
bool QueryLedger::apply(const std::string& line) {
    const json object = object_of(line);
    if (!object.is_object()) return false;
    for (const char* key : {"sent", "not_served"}) {
        if (!object.contains(key)) continue;
        if (!object[key].is_array()) return false;
        for (const json& query : object[key]) {
            if (!is_digest(query)) return false;
            const std::string digest = query.get<std::string>();
            if (key[0] == 'n') {
                lost_.erase(digest);
            } else if (!answers_.contains(digest)) {
                lost_.insert(digest);
            }
        }
        return true;
    }
    const json query = object.value("query", json()), answer = object.value("answer", json());
    if (!is_digest(query) || !answer.is_array() || answer.empty() || answer.size() > kMostAnswers)
        return false;
    std::vector<float> values;
    for (const json& value : answer) {
        if (!value.is_number()) return false;
        values.push_back(value.get<float>());
    }
    const std::string digest = query.get<std::string>();
    lost_.erase(digest);
    answers_.insert_or_assign(digest, std::move(values));
    return true;
}

void QueryLedger::append(const std::string& text) {
    size_t done = 0;
    while (done < text.size()) {
        const ssize_t put = ::write(descriptor_, text.data() + done, text.size() - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) fail("cannot write", path_);
        done += static_cast<size_t>(put);
    }
    if (::fdatasync(descriptor_) != 0 && errno != EINVAL) fail("cannot write", path_);
}

const std::vector<float>* QueryLedger::find(const std::string& query) const {
    const auto found = answers_.find(query);
    return found == answers_.end() ? nullptr : &found->second;
}

void QueryLedger::sent(const std::vector<std::string>& queries) {
    append(line_of({{"sent", queries}}));
}

void QueryLedger::not_served(const std::vector<std::string>& queries) {
    append(line_of({{"not_served", queries}}));
    for (const std::string& query : queries) lost_.erase(query);
}

void QueryLedger::answered(const std::vector<std::string>& queries,
                           const std::vector<std::vector<float>>& answers) {
    std::string text;
    for (size_t i = 0; i < queries.size(); ++i) {
        text += line_of({{"query", queries[i]}, {"answer", answers[i]}});
        lost_.erase(queries[i]);
        answers_.insert_or_assign(queries[i], answers[i]);
    }
    append(text);
}

std::string query_digest(const std::vector<int64_t>& shape, const float* values, int64_t count) {
    std::string head = "ward query 1";
    for (const int64_t size : shape) head.append(1, ' ').append(std::to_string(size));
    Sha256 digest;
    digest.update(head + "\n");
    digest.update(ByteView(reinterpret_cast<const uint8_t*>(values),
                           static_cast<size_t>(count) * sizeof(float)));
    return digest.hex();
}

}  // namespace ward::attack
