#include "ward/crypto/deterministic.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/crypto/internal/openssl.h"
#include "ward/crypto/kdf.h"

namespace ward::crypto {
namespace {

using internal::require_openssl;

constexpr size_t kBlockBytes = 16;
using Block = std::array<uint8_t, kBlockBytes>;
using MacContext = internal::OpensslPtr<EVP_MAC_CTX, EVP_MAC_CTX_free>;
using Mac = internal::OpensslPtr<EVP_MAC, EVP_MAC_free>;

const char* mac_cipher(size_t key_bytes) {
    return key_bytes == 16 ? "AES-128-CBC" : key_bytes == 24 ? "AES-192-CBC" : "AES-256-CBC";
}

const EVP_CIPHER* ctr_cipher(size_t key_bytes) {
    if (key_bytes == 16) return EVP_aes_128_ctr();
    return key_bytes == 24 ? EVP_aes_192_ctr() : EVP_aes_256_ctr();
}

// AES-CMAC by OpenSSL. S2V itself is written here: OpenSSL 3.0's AES-SIV drops empty components in
// some of its releases (CVE-2023-2975), which breaks the authentication of an empty context.
class Cmac {
  public:
    explicit Cmac(ByteView key) : mac_(EVP_MAC_fetch(nullptr, "CMAC", nullptr)) {
        context_.reset(EVP_MAC_CTX_new(mac_.get()));
        char* name = const_cast<char*>(mac_cipher(key.size()));
        const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("cipher", name, 0),
                                         OSSL_PARAM_construct_end()};
        require_openssl(EVP_MAC_init(context_.get(), key.data(), key.size(), parameters), "cmac");
    }

    // Of the concatenation of both parts.
    Block of(ByteView first, ByteView second = {}) {
        require_openssl(EVP_MAC_init(context_.get(), nullptr, 0, nullptr), "cmac");
        if (!first.empty()) add(first);
        if (!second.empty()) add(second);
        Block out{};
        size_t size = 0;
        require_openssl(EVP_MAC_final(context_.get(), out.data(), &size, out.size()), "cmac");
        return out;
    }

  private:
    void add(ByteView data) {
        require_openssl(EVP_MAC_update(context_.get(), data.data(), data.size()), "cmac");
    }

    Mac mac_;
    MacContext context_;
};

Block doubled(const Block& in) {
    Block out{};
    uint8_t carry = 0;
    for (size_t i = kBlockBytes; i-- > 0;) {
        out[i] = static_cast<uint8_t>((in[i] << 1) | carry);
        carry = in[i] >> 7;
    }
    out[kBlockBytes - 1] ^= static_cast<uint8_t>(0x87 & (0 - carry));
    return out;
}

Block xored(Block a, const Block& b) {
    for (size_t i = 0; i < kBlockBytes; ++i) a[i] ^= b[i];
    return a;
}

// S2V of the context and the plaintext (RFC 5297, section 2.4).
Block synthetic_iv(ByteView key, ByteView context, ByteView plaintext) {
    Cmac cmac(key);
    const Block digest = xored(doubled(cmac.of(Block{})), cmac.of(context));
    if (plaintext.size() < kBlockBytes) {
        Block padded{};
        std::copy(plaintext.begin(), plaintext.end(), padded.begin());
        padded[plaintext.size()] = 0x80;
        return cmac.of(xored(doubled(digest), padded));
    }
    Block last{};
    std::copy_n(plaintext.end() - kBlockBytes, kBlockBytes, last.begin());
    return cmac.of(plaintext.first(plaintext.size() - kBlockBytes), xored(last, digest));
}

void ctr_crypt(ByteView key, Block iv, ByteView in, uint8_t* out) {
    iv[8] &= 0x7f;
    iv[12] &= 0x7f;
    const internal::CipherContext context(EVP_CIPHER_CTX_new());
    require_openssl(
        EVP_EncryptInit_ex(context.get(), ctr_cipher(key.size()), nullptr, key.data(), iv.data()),
        "aes-ctr");
    constexpr size_t kStep = size_t{1} << 30;
    for (size_t done = 0; done < in.size(); done += kStep) {
        int written = 0;
        const auto count = static_cast<int>(std::min(kStep, in.size() - done));
        require_openssl(
            EVP_EncryptUpdate(context.get(), out + done, &written, in.data() + done, count),
            "aes-ctr");
    }
}

}  // namespace

DeterministicAead::DeterministicAead(const SecretBytes& key) : key_(key.clone()) {
    if (key.size() != 32 && key.size() != 48 && key.size() != 64) {
        throw Error(ErrorCode::kUsage, "an aes-siv key must have 64 bytes (or 32 or 48), got " +
                                           std::to_string(key.size()));
    }
}

SecretBytes DeterministicAead::new_key() {
    SecretBytes key(64);
    Random::from_system().fill(key.reveal_mutable());
    return key;
}

Bytes DeterministicAead::seal(ByteView plaintext, ByteView context) const {
    const size_t half = key_.size() / 2;
    const Block iv = synthetic_iv(key_.reveal().first(half), context, plaintext);
    Bytes out(kSivBytes + plaintext.size());
    std::copy(iv.begin(), iv.end(), out.begin());
    ctr_crypt(key_.reveal().last(half), iv, plaintext, out.data() + kSivBytes);
    return out;
}

SecretBytes DeterministicAead::open(ByteView sealed, ByteView context) const {
    if (sealed.size() < kSivBytes) {
        throw Error(ErrorCode::kCorrupt, "aes-siv data must have at least 16 bytes, got " +
                                             std::to_string(sealed.size()));
    }
    const size_t half = key_.size() / 2;
    Block iv{};
    std::copy_n(sealed.begin(), kSivBytes, iv.begin());
    SecretBytes out(sealed.size() - kSivBytes);
    ctr_crypt(key_.reveal().last(half), iv, sealed.subspan(kSivBytes), out.reveal_mutable().data());
    const Block expected = synthetic_iv(key_.reveal().first(half), context, out.reveal());
    if (!equal_constant_time(expected, iv)) {
        throw Error(ErrorCode::kCorrupt,
                    "aes-siv data does not open: changed, another key or another context");
    }
    return out;
}

}  // namespace ward::crypto
