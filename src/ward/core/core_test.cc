#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/core/cpu.h"
#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/parallel.h"
#include "ward/core/progress.h"

namespace ward {
namespace {

using ::testing::HasSubstr;

std::string scratch(const std::string& name) {
    const auto folder = std::filesystem::path(::testing::TempDir()) / "ward_core_test";
    std::filesystem::create_directories(folder);
    return (folder / name).string();
}

TEST(Error, CarriesCodeHintAndExitCode) {
    EXPECT_EQ(Error(ErrorCode::kUsage, "m", "h").exit_code(), 2);
    EXPECT_EQ(Error(ErrorCode::kRefused, "m").exit_code(), 3);
    EXPECT_EQ(Error(ErrorCode::kCorrupt, "m").exit_code(), 1);
    EXPECT_EQ(Error(ErrorCode::kUsage, "m", "h").hint(), "h");
}

TEST(Sha256, KnownAnswers) {
    // FIPS 180-4 examples, NIST CAVP "abc" and the empty message.
    EXPECT_EQ(sha256_hex(std::string_view("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_hex(std::string_view("")),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(Sha256().update(std::string_view("a")).update(std::string_view("bc")).hex(),
              sha256_hex(std::string_view("abc")));
}

TEST(SecretBytes, MovesWipesAndCompares) {
    const Bytes source{1, 2, 3};
    SecretBytes first{ByteView(source)};
    SecretBytes second(std::move(first));
    EXPECT_TRUE(
        first.empty());  // NOLINT(bugprone-use-after-move): moved-from is specified to be empty
    EXPECT_TRUE(second.equals(source));
    EXPECT_FALSE(second.equals(Bytes{1, 2, 4}));
    EXPECT_FALSE(second.equals(Bytes{1, 2}));
    SecretBytes copy = second.clone();
    copy.reveal_mutable()[0] = 9;
    EXPECT_TRUE(second.equals(source));
}

TEST(File, ReadsBackWhatWasCommitted) {
    const std::string path = scratch("a.txt");
    write_file_atomically(path, std::string_view("hello"));
    EXPECT_EQ(read_text_file(path), "hello");
    const MappedFile map(path);
    EXPECT_EQ(map.bytes().size(), 5u);
}

TEST(File, WithoutCommitTheOldFileStays) {
    const std::string path = scratch("b.txt");
    write_file_atomically(path, std::string_view("old"));
    {
        AtomicFile file(path);
        file.write(std::string_view("new"));
    }
    EXPECT_EQ(read_text_file(path), "old");
    for (const auto& entry :
         std::filesystem::directory_iterator(std::filesystem::path(path).parent_path())) {
        EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr("b.txt.partial")));
    }
}

TEST(File, ErrorsNameTheFileAndTheReason) {
    try {
        read_file("/nonexistent/x");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kNotFound);
        EXPECT_THAT(error.message(), HasSubstr("/nonexistent/x"));
    }
    write_file_atomically(scratch("c"), std::string_view("12345"));
    try {
        read_file(scratch("c"), 4);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.message(), HasSubstr("has 5 bytes, at most 4"));
    }
    EXPECT_THROW(read_file("/tmp"), Error);
    EXPECT_THROW(AtomicFile("/nonexistent/x"), Error);
}

TEST(File, FullDiskIsOneClearError) {
    // A limit on the size of files stands in for a full disk.
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit limit{16, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    std::string message, hint;
    try {
        write_file_atomically(scratch("full"), std::string_view("more than sixteen bytes"));
    } catch (const Error& error) {
        message = error.message();
        hint = error.hint();
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_THAT(message, HasSubstr("cannot write " + scratch("full")));
    EXPECT_THAT(hint, HasSubstr("free some disk space"));
    EXPECT_FALSE(std::filesystem::exists(scratch("full")));
}

TEST(File, TwoWritersOfOneFileDoNotMeet) {
    const std::string path = scratch("contested");
    std::filesystem::remove_all(path);
    AtomicFile first(path), second(path);
    first.write(std::string_view("first"));
    second.write(std::string_view("the second"));
    first.commit();
    EXPECT_EQ(read_text_file(path), "first");
    second.commit();
    EXPECT_EQ(read_text_file(path), "the second");
}

TEST(ParallelFor, CoversEachItemOnceForAnyThreadCount) {
    const int before = num_threads();
    for (int threads : {1, 2, 3, 8}) {
        set_num_threads(threads);
        std::vector<std::atomic<int>> hits(1000);
        parallel_for(0, 1000, 7, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) ++hits[i];
        });
        for (const auto& hit : hits) EXPECT_EQ(hit, 1);
    }
    set_num_threads(before);
}

TEST(ParallelFor, RethrowsAndRunsNestedCallsInline) {
    set_num_threads(4);
    EXPECT_THROW(
        parallel_for(0, 100, 1, [](int64_t, int64_t) { throw Error(ErrorCode::kInvalid, "x"); }),
        Error);
    std::atomic<int> total{0};
    parallel_for(0, 10, 1, [&](int64_t a, int64_t b) {
        parallel_for(a, b, 1, [&](int64_t c, int64_t d) { total += static_cast<int>(d - c); });
    });
    EXPECT_EQ(total, 10);
    EXPECT_THROW(set_num_threads(0), Error);
}

TEST(Cpu, LevelIsConsistentWithFeatures) {
    EXPECT_TRUE(isa() < Isa::kAvx512 || cpu_features().avx512);
    EXPECT_TRUE(isa() < Isa::kAvx2 || cpu_features().avx2);
    EXPECT_EQ(isa_name(Isa::kAvx512), "avx512");
}

TEST(Progress, JsonLinesAreWholeObjects) {
    set_progress_mode(ProgressMode::kJson);
    ::testing::internal::CaptureStderr();
    {
        Progress progress("train \"x\"", 10, "steps");
        progress.update(5, "epsilon 1");
        progress.finish();
    }
    const std::string text = ::testing::internal::GetCapturedStderr();
    set_progress_mode(ProgressMode::kOff);
    EXPECT_THAT(text, HasSubstr(R"("task":"train \"x\"","done":10,"total":10,"unit":"steps")"));
    EXPECT_THROW(parse_progress_mode("loud"), Error);
}

TEST(AtomicFile, PlacesAndCopiesLandWhereTheyBelong) {
    const std::string path = ::testing::TempDir() + "ward_places_" + std::to_string(::getpid());
    std::string content(3'000'000, 'x');
    for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 % 251);
    write_file_atomically(path, content);
    const int source = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const std::string copy = path + ".copy";
    const Bytes digits = {'0', '1', '2', '3'};
    {
        AtomicFile file(copy);
        file.write("head ");
        file.write_at(2, ByteView(digits).subspan(2));
        file.write_at(0, ByteView(digits).first(2));
        file.advance(4);
        file.copy_from(source, 1000, 2'000'000);
        file.write(" tail");
        file.commit();
    }
    EXPECT_EQ(read_text_file(copy), "head 0123" + content.substr(1000, 2'000'000) + " tail");
    {
        AtomicFile file(copy);
        EXPECT_THROW(file.copy_from(source, 2'999'999, 2), Error);
    }
    EXPECT_EQ(read_text_file(copy).size(), 2'000'014u) << "the name keeps what it had";
    ::close(source);
    ::unlink(path.c_str());
    ::unlink(copy.c_str());
}

}  // namespace
}  // namespace ward
