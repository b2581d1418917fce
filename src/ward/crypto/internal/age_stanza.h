// The file key of an age file wrapped for a recipient, and unwrapped again.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "ward/crypto/age.h"
#include "ward/crypto/internal/age_header.h"

namespace ward::crypto::internal {

// One stanza for each recipient, or one for the passphrase.
std::vector<AgeStanza> wrap_file_key(const SecretBytes& file_key, const AgeRecipients& recipients);

// Throws Error kInvalid when nothing fits and kCorrupt for a malformed stanza of a kind we know.
SecretBytes unwrap_file_key(const std::vector<AgeStanza>& stanzas, const AgeKeys& keys);

}  // namespace ward::crypto::internal
