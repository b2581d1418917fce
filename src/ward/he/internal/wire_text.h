// Texts and lists of names in objects on the wire.
#pragma once

#include <string>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/he/internal/wire_frame.h"

namespace ward::he::internal {

inline constexpr uint32_t kMostText = 1 << 24;  // bytes

ByteView bytes_of(const std::string& text);
std::string read_text(WireReader& in, size_t size);

// A name: its length in 32 bits, UTF-8. Names are printed on terminals, so control characters are
// refused, as is a name of more than 4096 bytes.
size_t names_bytes(const std::vector<std::string>& names);
void write_names(WireWriter& out, const std::vector<std::string>& names);
std::vector<std::string> read_names(WireReader& in, size_t count);

// An object: its length in 64 bits, its bytes.
size_t objects_bytes(const std::vector<Bytes>& objects);
void write_objects(WireWriter& out, const std::vector<Bytes>& objects);
ByteView read_object(WireReader& in);

}  // namespace ward::he::internal
