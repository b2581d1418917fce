// Any bytes as what a peer sends: messages of just the announced length, or an Error.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "ward/core/error.h"
#include "ward/net/channel.h"

namespace {

class FixedStream final : public ward::net::ByteStream {
  public:
    FixedStream(const uint8_t* data, size_t size) : rest_(data, size) {}
    void read_all(std::span<uint8_t> out) override {
        if (out.size() > rest_.size()) {
            throw ward::Error(ward::ErrorCode::kCorrupt, "the peer ended");
        }
        std::copy_n(rest_.begin(), out.size(), out.begin());
        rest_ = rest_.subspan(out.size());
    }
    void write(ward::ByteView) override {}
    void abort() noexcept override {}
    uint64_t wire_bytes_sent() const override { return 0; }

  private:
    ward::ByteView rest_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    constexpr size_t kCap = 4096;
    ward::net::Channel channel(std::make_unique<FixedStream>(data, size), "fuzz");
    try {
        for (uint32_t tag = 0;; ++tag) {
            if (channel.receive_any(tag % 3, kCap).size() > kCap) std::abort();
        }
    } catch (const ward::Error&) {
    }
    return 0;
}
