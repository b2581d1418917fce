// Words for polynomials: aligned to cache lines, recycled, wiped on request.
//
// The buffers of one ciphertext operation reach megabytes; given back to the system each time they
// would cost more in page faults than the arithmetic. A thread keeps the blocks it has freed, up to
// a cap, and hands them out again. Thread safety: as std::vector; a buffer may be freed by another
// thread than the one that made it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ward::he::internal {

class Buffer {
  public:
    Buffer() = default;
    // Contents are not initialised.
    explicit Buffer(size_t words);
    Buffer(Buffer&& other) noexcept;
    Buffer& operator=(Buffer&& other) noexcept;
    Buffer(const Buffer& other);
    Buffer& operator=(const Buffer& other);
    ~Buffer();

    uint64_t* data() { return data_; }
    const uint64_t* data() const { return data_; }
    size_t size() const { return words_; }
    uint64_t& operator[](size_t i) { return data_[i]; }
    uint64_t operator[](size_t i) const { return data_[i]; }

    // From now on the contents are zeroed before the memory goes elsewhere.
    Buffer& secret() {
        secret_ = true;
        return *this;
    }
    void fill_zero();

  private:
    void release() noexcept;

    uint64_t* data_ = nullptr;
    size_t words_ = 0;
    bool secret_ = false;
};

}  // namespace ward::he::internal
