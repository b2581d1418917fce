// The test vectors of the age format (C2SP/CCTV age/testdata): for each file the outcome that its
// header names, and the bytes that were put out before a failure.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/age.h"
#include "ward/crypto/internal/encoding.h"

namespace ward::crypto {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(WARD_SHARED_DIR) / "vectors/age/testdata";

struct Vector {
    std::multimap<std::string, std::string> header;
    Bytes file;
    std::string field(const std::string& name) const {
        const auto found = header.find(name);
        return found == header.end() ? "" : found->second;
    }
};

Bytes inflate_all(ByteView data) {
    Bytes out(size_t{32} << 20);
    uLongf size = out.size();
    EXPECT_EQ(uncompress(out.data(), &size, data.data(), data.size()), Z_OK);
    out.resize(size);
    return out;
}

Vector read_vector(const std::filesystem::path& path) {
    const std::string text = read_text_file(path.string());
    Vector vector;
    size_t begin = 0;
    while (true) {
        const size_t end = text.find('\n', begin);
        const std::string line = text.substr(begin, end - begin);
        begin = end + 1;
        if (line.empty()) break;
        const size_t colon = line.find(": ");
        vector.header.emplace(line.substr(0, colon), line.substr(colon + 2));
    }
    const ByteView rest = internal::bytes_of(text).subspan(begin);
    vector.file =
        vector.field("compressed") == "zlib" ? inflate_all(rest) : Bytes(rest.begin(), rest.end());
    return vector;
}

std::vector<std::string> vector_names() {
    std::vector<std::string> names;
    if (!std::filesystem::exists(kFolder)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
        names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

// How an error of ours is called by the vectors.
std::string outcome_of(const Error& error) {
    const std::string& text = error.message();
    if (text.starts_with("age header: the MAC does not match")) return "HMAC failure";
    if (text.starts_with("age header: ")) return "header failure";
    if (text.starts_with("age armor: ")) return "armor failure";
    if (text.starts_with("age payload: ")) return "payload failure";
    if (error.code() == ErrorCode::kInvalid) return "no match";
    return "other: " + text;
}

class AgeVectors : public ::testing::TestWithParam<std::string> {};

TEST_P(AgeVectors, HasTheOutcomeItNames) {
    const Vector vector = read_vector(kFolder / GetParam());
    AgeKeys keys;
    const auto [first, last] = vector.header.equal_range("identity");
    for (auto it = first; it != last; ++it) {
        try {
            keys.identities.push_back(AgeIdentity::parse(it->second));
        } catch (const Error& error) {
            // Post-quantum identities need ML-KEM, which OpenSSL 3.0 lacks: refused by name.
            ASSERT_EQ(error.code(), ErrorCode::kUnsupported);
            ASSERT_THAT(it->second, ::testing::StartsWith("AGE-SECRET-KEY-PQ-1"));
            GTEST_SKIP() << error.message();
        }
    }
    if (!vector.field("passphrase").empty()) {
        keys.passphrase = [&] {
            return SecretBytes(internal::bytes_of(vector.field("passphrase")));
        };
    }
    std::string outcome = "success";
    MemorySink out;
    try {
        MemorySource in(vector.file);
        age_decrypt(in, out, keys);
    } catch (const Error& error) {
        outcome = outcome_of(error);
    }
    EXPECT_EQ(outcome, vector.field("expect"));
    if (vector.field("payload").empty()) {
        EXPECT_TRUE(out.bytes().empty());
    } else {
        EXPECT_EQ(sha256_hex(out.bytes()), vector.field("payload"));
    }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AgeVectors);
INSTANTIATE_TEST_SUITE_P(Cctv, AgeVectors, ::testing::ValuesIn(vector_names()),
                         [](const auto& vector) { return vector.param; });

}  // namespace
}  // namespace ward::crypto
