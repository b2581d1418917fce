// Passphrases for a command: from the terminal without echo, or from an open file descriptor
// (--passphrase-fd 3 3<file). Never from an argument, which every process may read.
#pragma once

#include <functional>
#include <string>

#include "ward/core/bytes.h"

namespace ward::cli {

// Asks "prompt: " on the terminal; with `confirm` a second time, and both must agree. A descriptor
// other than -1 is read instead, up to its first line end. Throws Error kUsage when there is no
// terminal, kInvalid when the two differ or the passphrase is empty.
SecretBytes read_passphrase(int descriptor, const std::string& prompt, bool confirm);

// The same, asked at most once and only when needed.
std::function<SecretBytes()> passphrase_source(int descriptor, const std::string& prompt);

}  // namespace ward::cli
