#include "ward/crypto/sealed_container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "ward/core/error.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/merkle.h"

namespace ward::crypto {
namespace {

using internal::bytes_of;
using ::testing::HasSubstr;

constexpr size_t kChunk = 65536;

Bytes random_bytes(size_t size, uint64_t seed) {
    Bytes out(size);
    testonly::seeded_random(seed).fill(out);
    return out;
}

class SealedContainer : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_ = std::filesystem::path(::testing::TempDir()) /
                  ("ward_sealed_test_" + std::to_string(::getpid()));
        std::filesystem::create_directories(folder_);
        recipients_.recipients.push_back(identity_.recipient());
        keys_.identities.push_back(
            AgeIdentity::parse(internal::text_of(identity_.text().reveal())));
        MemorySink out;
        write_sealed_container(out, bytes_of("header"), ranges(), recipients_);
        file_ = out.take();
        path_ = save(file_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::vector<NamedRange> ranges() const {
        return {{"first", a_}, {"empty", {}}, {"second", b_}, {"third", c_}};
    }
    std::string save(const Bytes& bytes) {
        const std::string path = (folder_ / "file").string();
        write_file_atomically(path, bytes);
        return path;
    }
    std::string error_of(const Bytes& bytes, const std::string& range) {
        try {
            const SealedReader reader(save(bytes), keys_);
            if (!range.empty()) reader.read(range);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << error.message();
            return error.message();
        }
        return "";
    }

    std::filesystem::path folder_;
    Bytes a_ = random_bytes(3 * kChunk + 1, 1);
    Bytes b_ = random_bytes(100, 2);
    Bytes c_ = random_bytes(100, 3);
    AgeIdentity identity_ = AgeIdentity::generate();
    AgeRecipients recipients_;
    AgeKeys keys_;
    Bytes file_;
    std::string path_;
};

TEST_F(SealedContainer, EachRangeIsReadAlone) {
    const SealedReader reader(path_, keys_);
    EXPECT_EQ(internal::text_of(reader.header()), "header");
    ASSERT_EQ(reader.entries().size(), 4u);
    EXPECT_EQ(reader.read("second"), b_);
    EXPECT_EQ(reader.read("first"), a_);
    EXPECT_EQ(reader.read("empty"), Bytes());
    EXPECT_EQ(reader.read("third"), c_);
    EXPECT_THROW(reader.read("fourth"), Error);
    EXPECT_NO_THROW(reader.verify_ranges());
    for (const std::string_view name : {"first", "second", "header"}) {
        EXPECT_EQ(internal::text_of(file_).find(name), std::string_view::npos) << "readable name";
    }
}

TEST_F(SealedContainer, DamageInOneRangeIsNamedAndSparesTheOthers) {
    Bytes changed = file_;
    changed[16 + kChunk + 20] ^= 1;  // the second chunk of the first range
    const SealedReader reader(save(changed), keys_);
    EXPECT_EQ(reader.read("second"), b_);
    EXPECT_THROW(reader.verify_ranges(), Error);
    EXPECT_THAT(error_of(changed, "first"), HasSubstr("range \"first\": chunk 1"));
}

TEST_F(SealedContainer, SwappedRangesOfEqualSizeAreFound) {
    const SealedReader reader(path_, keys_);
    Bytes changed = file_;
    const auto at = [&](size_t i) {
        return changed.begin() + static_cast<std::ptrdiff_t>(reader.entries()[i].offset);
    };
    std::swap_ranges(at(2), at(3), at(3));
    EXPECT_THAT(error_of(changed, "second"), HasSubstr("does not authenticate"));
}

TEST_F(SealedContainer, FlippedBitsOutsideOfTheDataAreFound) {
    const SealedReader reader(path_, keys_);
    const size_t data_end = reader.entries().back().offset + 100 + 16;
    for (size_t place = data_end; place < file_.size(); place += 3) {
        Bytes changed = file_;
        changed[place] ^= 4;
        std::string message;
        try {
            const SealedReader opened(save(changed), keys_);
        } catch (const Error& error) {
            message = error.message();
        }
        EXPECT_NE(message, "") << place;
    }
}

TEST_F(SealedContainer, TruncationIsFound) {
    for (const size_t size : {size_t{0}, size_t{15}, size_t{79}, size_t{200}, file_.size() - 1}) {
        EXPECT_NE(error_of(Bytes(file_.begin(), file_.begin() + static_cast<long>(size)), ""), "");
    }
}

TEST_F(SealedContainer, RewrapKeepsTheRanges) {
    AgeKeys others;
    others.identities.push_back(AgeIdentity::generate());
    EXPECT_THROW(SealedReader(path_, others), Error);
    AgeRecipients to_others;
    to_others.recipients.push_back(others.identities[0].recipient());
    MemorySink out;
    rewrap_sealed_container(path_, out, keys_, to_others);
    const std::string path = save(out.bytes());
    EXPECT_EQ(SealedReader(path, others).read("first"), a_);
    EXPECT_THROW(SealedReader(path, keys_), Error);
}

TEST_F(SealedContainer, TakesPartsOfAFile) {
    const std::string plain = (folder_ / "plain").string();
    write_file_atomically(plain, a_);
    const FileSource file(plain);
    {
        FileSink out(path_);
        write_sealed_container(out, {}, file, {{"head", 0, 10}, {"rest", 10, a_.size() - 10}},
                               recipients_);
        out.commit();
    }
    const SealedReader reader(path_, keys_);
    EXPECT_EQ(reader.read("rest"), Bytes(a_.begin() + 10, a_.end()));
    EXPECT_EQ(reader.read("head"), Bytes(a_.begin(), a_.begin() + 10));
    reader.verify_ranges();
    Bytes wrong(9);
    EXPECT_THROW(reader.read("head", wrong), Error);
    MemorySink sink;
    for (const NamedPart& outside : {NamedPart{"x", a_.size(), 1}, NamedPart{"x", a_.size() + 1, 0},
                                     NamedPart{"x", 1, ~0ull}}) {
        EXPECT_THROW(write_sealed_container(sink, {}, file, {outside}, recipients_), Error);
    }
}

TEST_F(SealedContainer, DoubleNamesAreRefused) {
    MemorySink out;
    EXPECT_THROW(write_sealed_container(out, {}, {{"a", b_}, {"a", c_}}, recipients_), Error);
}

TEST(Merkle, TreeOfRfc6962) {
    // Roots of the reference tree of certificate-transparency's tests (merkletree test data).
    const std::vector<Bytes> inputs = {{},
                                       {0x00},
                                       {0x10},
                                       {0x20, 0x21},
                                       {0x30, 0x31},
                                       {0x40, 0x41, 0x42, 0x43},
                                       {0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57},
                                       {0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
                                        0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f}};
    const char* roots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                           "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                           "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                           "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                           "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                           "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                           "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                           "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    std::vector<internal::MerkleHash> leaves;
    for (size_t i = 0; i < inputs.size(); ++i) {
        leaves.push_back(internal::merkle_leaf(inputs[i]));
        EXPECT_EQ(internal::hex(internal::merkle_root(leaves)), roots[i]) << i;
    }
    EXPECT_EQ(internal::hex(internal::merkle_root({})),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace ward::crypto
