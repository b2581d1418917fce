// Payload encryption of Ward against OpenSSL's bare ChaCha20-Poly1305 in the same run, in memory
// and on one thread, and one tensor out of a large encrypted model.
//
// usage: bench_aead [MODEL_BYTES [TENSOR_BYTES]]      (default 1 GB in tensors of 16 MiB)
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ward/core/cpu.h"
#include "ward/core/file.h"
#include "ward/core/parallel.h"
#include "ward/core/random.h"
#include "ward/crypto/aead.h"
#include "ward/crypto/sealed_container.h"

namespace {

using namespace ward;
using Clock = std::chrono::steady_clock;

constexpr size_t kChunkBytes = 65536;
constexpr size_t kChunks = 512;

double seconds_of(const std::function<void()>& work) {
    const auto start = Clock::now();
    work();
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Best of several rounds in which the candidates take turns.
std::vector<double> best_of(int rounds, const std::vector<std::function<void()>>& candidates) {
    std::vector<double> best(candidates.size(), 1e300);
    for (int round = 0; round < rounds; ++round) {
        for (size_t i = 0; i < candidates.size(); ++i) {
            best[i] = std::min(best[i], seconds_of(candidates[i]));
        }
    }
    return best;
}

void openssl_seal(const Bytes& plain, Bytes& out, const uint8_t* key) {
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), nullptr, key, nullptr, 1);
    uint8_t nonce[12] = {};
    for (size_t i = 0; i < kChunks; ++i) {
        int written = 0;
        nonce[0] = static_cast<uint8_t>(i);
        EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce, 1);
        EVP_CipherUpdate(context, out.data() + i * (kChunkBytes + 16), &written,
                         plain.data() + i * kChunkBytes, kChunkBytes);
        EVP_CipherFinal_ex(context, out.data() + i * (kChunkBytes + 16) + kChunkBytes, &written);
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16,
                            out.data() + i * (kChunkBytes + 16) + kChunkBytes);
    }
    EVP_CIPHER_CTX_free(context);
}

class Room : public crypto::ByteSink {
  public:
    explicit Room(Bytes& room) : room_(room) {}
    void write(ByteView data) override { write_at(0, data), used_ += data.size(); }
    bool has_places() const override { return true; }
    void write_at(uint64_t offset, ByteView data) override {
        std::copy(data.begin(), data.end(),
                  room_.begin() + static_cast<std::ptrdiff_t>(used_ + offset));
    }
    std::span<uint8_t> room_at(uint64_t offset, size_t count) override {
        return std::span(room_).subspan(used_ + offset, count);
    }
    void advance(uint64_t count) override { used_ += count; }

  private:
    Bytes& room_;
    size_t used_ = 0;
};

void compare_with_openssl() {
    Bytes plain(kChunks * kChunkBytes);
    Random::from_system().fill(std::span<uint8_t>(plain));
    Bytes out(plain.size() + kChunks * 16 + 4096);
    crypto::AgeRecipients recipients;
    recipients.recipients = {crypto::AgeIdentity::generate().recipient()};
    const SecretBytes key = crypto::Aead::new_key();
    set_num_threads(1);
    const auto best = best_of(15, {[&] { openssl_seal(plain, out, key.reveal().data()); },
                                   [&] {
                                       crypto::MemorySource in(plain);
                                       Room sink(out);
                                       crypto::age_encrypt(in, sink, recipients);
                                   }});
    const double bytes = static_cast<double>(plain.size());
    std::printf(
        "one thread, in memory: openssl %.2f GB/s, ward age file %.2f GB/s: %.0f %% of openssl\n",
        bytes / best[0] / 1e9, bytes / best[1] / 1e9, 100 * best[0] / best[1]);
}

long peak_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::atol(line.c_str() + 6);
    }
    return 0;
}

void read_one_tensor(size_t model_bytes, size_t tensor_bytes, int threads) {
    set_num_threads(threads);
    const std::string path = "bench_aead_" + std::to_string(::getpid()) + ".sealed";
    const crypto::AgeIdentity identity = crypto::AgeIdentity::generate();
    crypto::AgeRecipients recipients;
    recipients.recipients = {identity.recipient()};
    {
        Bytes tensor(tensor_bytes);
        Random::from_system().fill(std::span<uint8_t>(tensor));
        std::vector<crypto::NamedRange> ranges;
        for (size_t i = 0; i < std::max<size_t>(1, model_bytes / tensor_bytes); ++i) {
            ranges.push_back({"tensor" + std::to_string(i), tensor});
        }
        crypto::FileSink out(path);
        const double seconds = seconds_of([&] {
            crypto::write_sealed_container(out, {}, ranges, recipients);
            out.commit();
        });
        std::printf("written %zu tensors of %.1f MB in %.2f s (%.2f GB/s)\n", ranges.size(),
                    static_cast<double>(tensor_bytes) / 1e6, seconds,
                    static_cast<double>(ranges.size() * tensor_bytes) / seconds / 1e9);
    }
    crypto::AgeKeys keys;
    keys.identities.push_back(crypto::AgeIdentity::parse(
        std::string(reinterpret_cast<const char*>(identity.text().reveal().data()), 74)));
    double opening = 0;
    std::vector<double> times;
    std::unique_ptr<crypto::SealedReader> reader;
    opening = seconds_of([&] { reader = std::make_unique<crypto::SealedReader>(path, keys); });
    const long before = peak_kib();
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
    const long reset = peak_kib();
    for (const crypto::SealedEntry& entry : reader->entries()) {
        times.push_back(seconds_of([&] { (void)reader->read(entry.name); }));
        if (times.size() == 20) break;
    }
    std::sort(times.begin(), times.end());
    std::printf(
        "opened in %.2f ms; one tensor: best %.2f ms, median %.2f ms, worst of %zu %.2f ms; "
        "memory above the opened file %.1f MB (%d threads)\n",
        1e3 * opening, 1e3 * times.front(), 1e3 * times[times.size() / 2], times.size(),
        1e3 * times.back(), static_cast<double>(peak_kib() - std::min(before, reset)) / 1e3,
        threads);
    ::unlink(path.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    const size_t model_bytes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000'000;
    const size_t tensor_bytes = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : size_t{16} << 20;
    const int threads = num_threads();
    std::printf("%s, %d threads\n", ward::cpu_features().brand.c_str(), threads);
    compare_with_openssl();
    read_one_tensor(model_bytes, tensor_bytes, threads);
    return 0;
}
