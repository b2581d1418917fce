// SHA-256 (FIPS 180-4, by OpenSSL) for the digests of data sets, models and plans.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ward/core/bytes.h"

namespace ward {

// Incremental SHA-256. Not thread-safe.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    Sha256& update(ByteView data);
    Sha256& update(std::string_view text);

    // 64 lower-case hexadecimal digits. The object must not be used afterwards.
    std::string hex();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

std::string sha256_hex(ByteView data);
std::string sha256_hex(std::string_view text);

// Digest of a file's bytes, read in pieces. Throws Error kNotFound or kIo.
std::string sha256_file(const std::string& path);

}  // namespace ward
