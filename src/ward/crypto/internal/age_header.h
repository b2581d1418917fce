// The text header of an age file: version, recipient stanzas, MAC (C2SP age.md, "Header").
#pragma once

#include <array>
#include <string>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/crypto/internal/buffered_source.h"

namespace ward::crypto::internal {

inline constexpr size_t kAgeFileKeyBytes = 16;

struct AgeStanza {
    std::vector<std::string> arguments;  // the first is the kind of recipient
    Bytes body;
    const std::string& type() const { return arguments.front(); }
};

struct AgeHeader {
    std::vector<AgeStanza> stanzas;
    std::string authenticated;  // all of the text up to and including "---"
    std::array<uint8_t, 32> mac{};
};

// At most 4 MiB. Throws Error kCorrupt `age header: ...` for anything but the canonical form.
AgeHeader read_age_header(BufferedSource& source);

std::string age_header_text(const std::vector<AgeStanza>& stanzas, const SecretBytes& file_key);

// Throws Error kCorrupt when the MAC is not that of this file key.
void check_age_mac(const AgeHeader& header, const SecretBytes& file_key);

[[noreturn]] void fail_age_header(const std::string& what);

}  // namespace ward::crypto::internal
