#include "ward/core/seed_stream.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <cstring>
#include <string>
#include <vector>

namespace ward {
namespace {

// The definition again, by OpenSSL: block b is bytes 32.. of AES-256-CTR under key b, whose bytes
// 0..31 are key b + 1.
std::vector<uint8_t> reference(const PublicSeed& seed, uint64_t index, int blocks) {
    std::string text = "ward seed stream 1";
    text.append(reinterpret_cast<const char*>(seed.data()), seed.size());
    for (int i = 0; i < 8; ++i) text.push_back(static_cast<char>(index >> (8 * i)));
    uint8_t key[32];
    SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), key);
    std::vector<uint8_t> out;
    for (int b = 0; b < blocks; ++b) {
        const uint8_t counter[16] = {};
        std::vector<uint8_t> stream(32 + 4096, 0);
        int written = 0;
        EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
        EVP_EncryptInit_ex(context, EVP_aes_256_ctr(), nullptr, key, counter);
        EVP_EncryptUpdate(context, stream.data(), &written, stream.data(),
                          static_cast<int>(stream.size()));
        EVP_CIPHER_CTX_free(context);
        std::memcpy(key, stream.data(), 32);
        out.insert(out.end(), stream.begin() + 32, stream.end());
    }
    return out;
}

TEST(SeedStream, IsWhatItsHeaderSays) {
    PublicSeed seed{};
    seed[0] = 7;
    seed[31] = 200;
    for (uint64_t index : {uint64_t{0}, uint64_t{0x0102030405060708}}) {
        const auto expected = reference(seed, index, 3);
        SeedStream stream(seed, index);
        for (int b = 0; b < 3; ++b) {
            std::array<uint64_t, SeedStream::kBlockWords> block;
            stream.next_block(block);
            EXPECT_EQ(std::memcmp(block.data(), expected.data() + 4096 * b, 4096), 0) << b;
        }
    }
}

TEST(SeedStream, DependsOnSeedAndIndex) {
    std::array<uint64_t, SeedStream::kBlockWords> a, b, c;
    PublicSeed seed{}, other{};
    other[5] = 1;
    SeedStream(seed, 0).next_block(a);
    SeedStream(seed, 1).next_block(b);
    SeedStream(other, 0).next_block(c);
    EXPECT_NE(a, b);
    EXPECT_NE(a, c);
}

}  // namespace
}  // namespace ward
