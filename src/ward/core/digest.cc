#include "ward/core/digest.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>

#include "ward/core/error.h"

namespace ward {
namespace {

void require(int ok) {
    if (ok != 1) throw Error(ErrorCode::kInternal, "sha-256 is not available in this OpenSSL");
}

ByteView bytes_of(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

struct Sha256::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    State() { require(EVP_DigestInit_ex(context, EVP_sha256(), nullptr)); }
    ~State() { EVP_MD_CTX_free(context); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(ByteView data) {
    require(EVP_DigestUpdate(state_->context, data.data(), data.size()));
    return *this;
}

Sha256& Sha256::update(std::string_view text) { return update(bytes_of(text)); }

std::string Sha256::hex() {
    std::array<uint8_t, 32> digest;
    require(EVP_DigestFinal_ex(state_->context, digest.data(), nullptr));
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (uint8_t byte : digest) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

std::string sha256_hex(ByteView data) { return Sha256().update(data).hex(); }
std::string sha256_hex(std::string_view text) { return sha256_hex(bytes_of(text)); }

std::string sha256_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw Error(ErrorCode::kNotFound, "cannot open " + path + " for reading");
    Sha256 digest;
    Bytes buffer(1 << 20);
    while (in) {
        in.read(reinterpret_cast<char*>(buffer.data()),
                static_cast<std::streamsize>(buffer.size()));
        digest.update(ByteView(buffer.data(), static_cast<size_t>(in.gcount())));
    }
    if (in.bad()) throw Error(ErrorCode::kIo, "cannot read " + path);
    return digest.hex();
}

}  // namespace ward
