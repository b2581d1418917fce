// Pseudonyms that do not turn back: the same value gets the same pseudonym, so that tables can
// still be joined, and the value itself is gone.
//
// Threat: without the key, who knows all possible values (names, postcodes, social security
// numbers) still cannot tell which one a pseudonym stands for; with the key, or with a salted hash,
// whose salt is no secret, they try them all. Salted hashes are for exchange with others who use
// them, and are named accordingly. Pseudonyms that the key's owner can turn back:
// DeterministicAead. Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "ward/core/bytes.h"

namespace ward::crypto {

class Pseudonyms {
  public:
    // A key of at least 16 bytes; throws Error kUsage for a shorter one. The domain (for example
    // the table and column) separates pseudonyms that must not be joined.
    Pseudonyms(const SecretBytes& key, std::string_view domain);

    // 32 hexadecimal digits: 128 bits of HMAC-SHA256 under a key that HKDF makes for the domain.
    // Two of n values share one with probability below n^2 / 2^129.
    std::string of(std::string_view value) const;

  private:
    SecretBytes key_;
};

// Hexadecimal SHA-256(salt || value). NOT SAFE for values that can be guessed.
std::string guessable_salted_hash(ByteView salt, std::string_view value);

}  // namespace ward::crypto
