// Byte strings: plain ones, and secret ones that are wiped when they go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ward {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

// Overwrites bytes that held a secret; no compiler leaves it out.
void wipe(void* data, size_t size_bytes);

// Key material. Move-only (a copy must be asked for with `clone`), wiped on destruction, kept out
// of swap where the system allows, without any operator that could print it. `equals` takes time
// that depends on the lengths only. Threat: another process reading swap or freed memory; not an
// attacker inside this process. Thread safety: as std::vector.
class SecretBytes {
  public:
    SecretBytes() = default;
    explicit SecretBytes(size_t size_bytes);
    explicit SecretBytes(ByteView source);
    SecretBytes(SecretBytes&& other) noexcept;
    SecretBytes& operator=(SecretBytes&& other) noexcept;
    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;
    ~SecretBytes();

    SecretBytes clone() const { return SecretBytes(reveal()); }
    bool equals(ByteView other) const;
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    // The only ways in; the name makes every use of a secret easy to find.
    ByteView reveal() const { return {data_, size_}; }
    std::span<uint8_t> reveal_mutable() { return {data_, size_}; }

  private:
    void release() noexcept;

    uint8_t* data_ = nullptr;
    size_t size_ = 0;
};

}  // namespace ward
