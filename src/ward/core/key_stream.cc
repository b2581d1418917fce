#include "ward/core/key_stream.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "ward/core/error.h"
#include "ward/core/internal/aes_ctr.h"

namespace ward {
namespace {

constexpr size_t kBlockBytes = 16384;

}  // namespace

KeyStream::KeyStream(SecretBytes key)
    : key_(std::move(key)), buffer_(kBlockBytes), used_(kBlockBytes) {
    if (key_.size() != kKeyBytes) {
        throw Error(ErrorCode::kUsage,
                    "the key of a stream must have 32 bytes, got " + std::to_string(key_.size()));
    }
}

void KeyStream::start_block(uint8_t* out) {
    static const internal::AesCtrKernel kernel = internal::aes256_ctr_kernel();
    if (key_.size() != kKeyBytes) {
        throw Error(ErrorCode::kInternal, "key stream used after it was moved away");
    }
    kernel(key_.reveal().data(), key_.reveal_mutable().data(), out, kBlockBytes);
}

void KeyStream::fill(std::span<uint8_t> out) {
    drawn_ += out.size();
    while (!out.empty()) {
        if (used_ == buffer_.size() && out.size() >= kBlockBytes) {
            start_block(out.data());  // a whole block, straight to where it is wanted
            out = out.subspan(kBlockBytes);
            continue;
        }
        if (used_ == buffer_.size()) {
            start_block(buffer_.reveal_mutable().data());
            used_ = 0;
        }
        const size_t count = std::min(out.size(), buffer_.size() - used_);
        uint8_t* source = buffer_.reveal_mutable().data() + used_;
        std::memcpy(out.data(), source, count);
        std::memset(source, 0, count);
        used_ += count;
        out = out.subspan(count);
    }
}

void KeyStream::fill(std::span<uint64_t> out) {
    fill(std::span<uint8_t>(reinterpret_cast<uint8_t*>(out.data()), out.size_bytes()));
}

}  // namespace ward
