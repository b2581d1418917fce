#include "ward/he/internal/wire_text.h"

#include <algorithm>

namespace ward::he::internal {
namespace {

constexpr uint32_t kMostName = 4096;

}  // namespace

ByteView bytes_of(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string read_text(WireReader& in, size_t size) {
    const ByteView bytes = in.take(size);
    return {bytes.begin(), bytes.end()};
}

size_t names_bytes(const std::vector<std::string>& names) {
    size_t bytes = 0;
    for (const std::string& name : names) bytes += sizeof(uint32_t) + name.size();
    return bytes;
}

void write_names(WireWriter& out, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        out.number(static_cast<uint32_t>(name.size()));
        out.bytes(bytes_of(name));
    }
}

std::vector<std::string> read_names(WireReader& in, size_t count) {
    std::vector<std::string> names;
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; };
    for (size_t i = 0; i < count; ++i) {
        const auto size = in.number<uint32_t>();
        if (size > kMostName) fail_corrupt("a name is too long");
        names.push_back(read_text(in, size));
        if (std::any_of(names.back().begin(), names.back().end(), control)) {
            fail_corrupt("a name has control characters");
        }
    }
    return names;
}

size_t objects_bytes(const std::vector<Bytes>& objects) {
    size_t bytes = 0;
    for (const Bytes& object : objects) bytes += sizeof(uint64_t) + object.size();
    return bytes;
}

void write_objects(WireWriter& out, const std::vector<Bytes>& objects) {
    for (const Bytes& object : objects) {
        out.number(static_cast<uint64_t>(object.size()));
        out.bytes(object);
    }
}

ByteView read_object(WireReader& in) {
    const auto size = in.number<uint64_t>();
    if (size > in.left()) fail_corrupt("it ends too early");
    return in.take(static_cast<size_t>(size));
}

}  // namespace ward::he::internal
