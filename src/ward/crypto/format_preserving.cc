#include "ward/crypto/format_preserving.h"

#include <algorithm>
#include <array>
#include <string>

#include "ward/core/error.h"
#include "ward/crypto/internal/big_number.h"
#include "ward/crypto/internal/openssl.h"

namespace ward::crypto {
namespace {

using internal::BigNumber;
using internal::require_openssl;

constexpr size_t kBlockBytes = 16;
using Block = std::array<uint8_t, kBlockBytes>;
using BigNumberContext = internal::OpensslPtr<BN_CTX, BN_CTX_free>;

constexpr int kFf1Rounds = 10;
constexpr int kFf3Rounds = 8;
constexpr uint64_t kMinDomain = 1000000;
constexpr size_t kMaxNumerals = 4096;
constexpr size_t kMaxTweakBytes = size_t{1} << 16;

const EVP_CIPHER* ecb_cipher(size_t key_bytes) {
    if (key_bytes == 16) return EVP_aes_128_ecb();
    if (key_bytes == 24) return EVP_aes_192_ecb();
    if (key_bytes == 32) return EVP_aes_256_ecb();
    throw Error(ErrorCode::kUsage, "a format-preserving key must have 16, 24 or 32 bytes, got " +
                                       std::to_string(key_bytes));
}

class AesBlock {
  public:
    explicit AesBlock(ByteView key) : context_(EVP_CIPHER_CTX_new()) {
        require_openssl(EVP_EncryptInit_ex(context_.get(), ecb_cipher(key.size()), nullptr,
                                           key.data(), nullptr),
                        "aes");
        EVP_CIPHER_CTX_set_padding(context_.get(), 0);
    }
    void encrypt(Block& block) {
        int written = 0;
        require_openssl(
            EVP_EncryptUpdate(context_.get(), block.data(), &written, block.data(), kBlockBytes),
            "aes");
    }
    Block cbc_mac(ByteView data) {  // a multiple of 16 bytes
        Block state{};
        for (size_t i = 0; i < data.size(); i += kBlockBytes) {
            for (size_t j = 0; j < kBlockBytes; ++j) state[j] ^= data[i + j];
            encrypt(state);
        }
        return state;
    }

  private:
    internal::CipherContext context_;
};

void store_be(uint64_t value, std::span<uint8_t> out) {
    for (size_t i = out.size(); i-- > 0; value >>= 8) out[i] = static_cast<uint8_t>(value);
}

template <typename Iterator>
BigNumber number_of(Iterator first, Iterator last, uint32_t radix) {
    BigNumber out;
    for (; first != last; ++first) out.multiply_add(radix, *first);
    return out;
}

// The numerals of a number, least significant first.
Numerals numerals_of(BigNumber number, uint32_t radix, size_t count) {
    Numerals out(count);
    for (uint32_t& numeral : out) numeral = number.divide(radix);
    return out;
}

BigNumber power(uint32_t radix, size_t exponent) {
    BigNumber out;
    out.multiply_add(0, 1);
    for (size_t i = 0; i < exponent; ++i) out.multiply_add(radix, 0);
    return out;
}

}  // namespace

struct FormatPreservingCipher::State {
    SecretBytes key;
    uint32_t radix;

    void check(const Numerals& text, ByteView tweak) const;
    Numerals ff1(const Numerals& in, ByteView tweak, bool encrypt) const;
};

namespace {

// a = (a + sign * b) mod m.
void add_mod(BigNumber& a, const BigNumber& b, int sign, const BigNumber& m, BN_CTX* context) {
    require_openssl(
        sign > 0 ? BN_add(a.get(), a.get(), b.get()) : BN_sub(a.get(), a.get(), b.get()),
        "big number");
    require_openssl(BN_nnmod(a.get(), a.get(), m.get(), context), "big number");
}

// The round function of FF1 for one (radix, length, tweak).
class Ff1Round {
  public:
    Ff1Round(AesBlock& aes, uint32_t radix, size_t length, ByteView tweak, size_t half_bits)
        : aes_(aes),
          number_bytes_((half_bits + 7) / 8),
          output_bytes_(4 * ((number_bytes_ + 3) / 4) + 4) {
        const size_t unpadded = tweak.size() + 1 + number_bytes_;
        const size_t q_bytes = (unpadded + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
        message_.assign(kBlockBytes + q_bytes, 0);
        const std::span<uint8_t> p = std::span(message_).first(kBlockBytes);
        p[0] = 1;
        p[1] = 2;
        p[2] = 1;
        store_be(radix, p.subspan(3, 3));
        p[6] = kFf1Rounds;
        p[7] = static_cast<uint8_t>(length / 2);
        store_be(length, p.subspan(8, 4));
        store_be(tweak.size(), p.subspan(12, 4));
        std::copy(tweak.begin(), tweak.end(), message_.begin() + kBlockBytes);
    }

    BigNumber operator()(int round, const BigNumber& half) {
        const std::span<uint8_t> tail = std::span(message_).last(number_bytes_ + 1);
        tail[0] = static_cast<uint8_t>(round);
        half.store(tail.subspan(1));
        const Block first = aes_.cbc_mac(message_);
        Bytes stream(first.begin(), first.end());
        for (uint64_t j = 1; stream.size() < output_bytes_; ++j) {
            Block block = first;
            Block counter{};
            store_be(j, counter);
            for (size_t i = 0; i < kBlockBytes; ++i) block[i] ^= counter[i];
            aes_.encrypt(block);
            stream.insert(stream.end(), block.begin(), block.end());
        }
        return BigNumber(ByteView(stream).first(output_bytes_));
    }

  private:
    AesBlock& aes_;
    size_t number_bytes_;
    size_t output_bytes_;
    Bytes message_;  // P || Q
};

}  // namespace

void FormatPreservingCipher::State::check(const Numerals& text, ByteView tweak) const {
    for (const uint32_t numeral : text) {
        if (numeral >= radix) {
            throw Error(ErrorCode::kInvalid, "a numeral must be below the radix " +
                                                 std::to_string(radix) + ", got " +
                                                 std::to_string(numeral));
        }
    }
    uint64_t domain = 1;
    for (size_t i = 0; i < text.size() && domain < kMinDomain; ++i) domain *= radix;
    if (domain < kMinDomain || text.size() < 2 || text.size() > kMaxNumerals) {
        throw Error(ErrorCode::kInvalid,
                    "format-preserving encryption needs 2 to 4096 numerals and at least 1000000 "
                    "possible values, got " +
                        std::to_string(text.size()) + " numerals of radix " + std::to_string(radix),
                    "use DeterministicAead for short values");
    }
    if (tweak.size() > kMaxTweakBytes) {
        throw Error(ErrorCode::kInvalid,
                    "a tweak may have 65536 bytes, got " + std::to_string(tweak.size()));
    }
}

Numerals FormatPreservingCipher::State::ff1(const Numerals& in, ByteView tweak,
                                            bool encrypt) const {
    check(in, tweak);
    const size_t left = in.size() / 2;
    const auto middle = in.begin() + static_cast<std::ptrdiff_t>(left);
    BigNumber a = number_of(in.begin(), middle, radix);
    BigNumber b = number_of(middle, in.end(), radix);
    const BigNumber left_domain = power(radix, left);
    const BigNumber right_domain = power(radix, in.size() - left);
    BigNumber largest = power(radix, in.size() - left);
    require_openssl(BN_sub_word(largest.get(), 1), "big number");
    AesBlock aes(key.reveal());
    Ff1Round round(aes, radix, in.size(), tweak, static_cast<size_t>(largest.bits()));
    const BigNumberContext context(BN_CTX_new());
    for (int step = 0; step < kFf1Rounds; ++step) {
        const int i = encrypt ? step : kFf1Rounds - 1 - step;
        const BigNumber& domain = i % 2 == 0 ? left_domain : right_domain;
        if (encrypt) {
            add_mod(a, round(i, b), 1, domain, context.get());
        } else {
            add_mod(b, round(i, a), -1, domain, context.get());
        }
        std::swap(a, b);
    }
    Numerals out = numerals_of(std::move(b), radix, in.size() - left);
    const Numerals front = numerals_of(std::move(a), radix, left);
    out.insert(out.end(), front.begin(), front.end());
    std::reverse(out.begin(), out.end());
    return out;
}

FormatPreservingCipher::FormatPreservingCipher(const SecretBytes& key, uint32_t radix)
    : state_(new State{key.clone(), radix}) {
    (void)ecb_cipher(key.size());
    if (radix < 2 || radix > 65536) {
        throw Error(ErrorCode::kUsage,
                    "the radix must be 2 to 65536, got " + std::to_string(radix));
    }
}
FormatPreservingCipher::~FormatPreservingCipher() = default;
FormatPreservingCipher::FormatPreservingCipher(FormatPreservingCipher&&) noexcept = default;
FormatPreservingCipher& FormatPreservingCipher::operator=(FormatPreservingCipher&&) noexcept =
    default;

Numerals FormatPreservingCipher::ff1_encrypt_vartime(const Numerals& plaintext,
                                                     ByteView tweak) const {
    return state_->ff1(plaintext, tweak, true);
}

Numerals FormatPreservingCipher::ff1_decrypt_vartime(const Numerals& ciphertext,
                                                     ByteView tweak) const {
    return state_->ff1(ciphertext, tweak, false);
}

// SP 800-38G, algorithm 10, with the tweak halves of Rev. 1 when it has 56 bits. FF3 reads numbers
// and blocks in reverse order throughout.
Numerals FormatPreservingCipher::ff3_decrypt_vartime(const Numerals& ciphertext,
                                                     ByteView tweak) const {
    state_->check(ciphertext, tweak);
    if (tweak.size() != 7 && tweak.size() != 8) {
        throw Error(ErrorCode::kInvalid, "an FF3 tweak must have 7 bytes (FF3-1) or 8 (FF3), got " +
                                             std::to_string(tweak.size()));
    }
    Bytes halves(tweak.begin(), tweak.end());  // left 4 bytes, right 4 bytes
    if (tweak.size() == 7) {
        halves = {tweak[0], tweak[1], tweak[2], static_cast<uint8_t>(tweak[3] & 0xf0),
                  tweak[4], tweak[5], tweak[6], static_cast<uint8_t>(tweak[3] << 4)};
    }
    const uint32_t radix = state_->radix;
    const size_t left = (ciphertext.size() + 1) / 2;
    const auto reversed = [&](size_t from, size_t to) {
        const auto begin =
            ciphertext.rbegin() + static_cast<std::ptrdiff_t>(ciphertext.size() - to);
        return number_of(begin, begin + static_cast<std::ptrdiff_t>(to - from), radix);
    };
    BigNumber a = reversed(0, left);
    BigNumber b = reversed(left, ciphertext.size());
    const BigNumber left_domain = power(radix, left);
    const BigNumber right_domain = power(radix, ciphertext.size() - left);
    if (left_domain.bits() > 96) {
        throw Error(ErrorCode::kInvalid, "an FF3 text may have halves of 96 bits, got " +
                                             std::to_string(left_domain.bits()));
    }
    SecretBytes key = state_->key.clone();
    std::reverse(key.reveal_mutable().begin(), key.reveal_mutable().end());
    AesBlock aes(key.reveal());
    const BigNumberContext context(BN_CTX_new());
    for (int i = kFf3Rounds - 1; i >= 0; --i) {
        Block block{};
        std::copy_n(halves.begin() + (i % 2 == 0 ? 4 : 0), 4, block.begin());
        block[3] ^= static_cast<uint8_t>(i);
        a.store(std::span(block).subspan(4));
        std::reverse(block.begin(), block.end());
        aes.encrypt(block);
        std::reverse(block.begin(), block.end());
        add_mod(b, BigNumber(block), -1, i % 2 == 0 ? left_domain : right_domain, context.get());
        std::swap(a, b);
    }
    Numerals out = numerals_of(std::move(a), radix, left);
    const Numerals back = numerals_of(std::move(b), radix, ciphertext.size() - left);
    out.insert(out.end(), back.begin(), back.end());
    return out;
}

}  // namespace ward::crypto
