#include "ward/core/bytes.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace ward {

namespace {

// Locks do not nest: giving back a page that other secrets share would unlock theirs. So only pages
// that lie wholly inside are given back.
void unlock_whole_pages(uint8_t* data, size_t size_bytes) {
    static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<uintptr_t>(data);
    const uintptr_t first = (begin + page - 1) / page * page,
                    last = (begin + size_bytes) / page * page;
    if (first < last) (void)munlock(reinterpret_cast<void*>(first), last - first);
}

}  // namespace

void wipe(void* data, size_t size_bytes) { OPENSSL_cleanse(data, size_bytes); }

SecretBytes::SecretBytes(size_t size_bytes) : data_(new uint8_t[size_bytes]()), size_(size_bytes) {
    // May be refused (RLIMIT_MEMLOCK); the bytes are wiped all the same.
    (void)mlock(data_, size_);
}

SecretBytes::SecretBytes(ByteView source) : SecretBytes(source.size()) {
    if (size_ > 0) std::memcpy(data_, source.data(), size_);
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

SecretBytes::~SecretBytes() { release(); }

bool SecretBytes::equals(ByteView other) const {
    return other.size() == size_ && (size_ == 0 || CRYPTO_memcmp(data_, other.data(), size_) == 0);
}

void SecretBytes::release() noexcept {
    if (data_ == nullptr) return;
    OPENSSL_cleanse(data_, size_);
    unlock_whole_pages(data_, size_);
    delete[] data_;
    data_ = nullptr;
    size_ = 0;
}

}  // namespace ward
