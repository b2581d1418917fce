#include "ward/data/array.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/testing/errors.h"

namespace ward::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename Call>
std::string error_of(Call call, ErrorCode code = ErrorCode::kCorrupt) {
    return testonly::message_of(call, code);
}

Bytes npy(const std::string& header, const Bytes& data, uint8_t version = 1) {
    Bytes out = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0};
    for (size_t i = 0; i < (version == 1 ? 2u : 4u); ++i)
        out.push_back(static_cast<uint8_t>(header.size() >> (8 * i)));
    out.insert(out.end(), header.begin(), header.end());
    out.insert(out.end(), data.begin(), data.end());
    return out;
}

template <typename T>
Bytes raw(const std::vector<T>& values) {
    Bytes out(values.size() * sizeof(T));
    std::memcpy(out.data(), values.data(), out.size());
    return out;
}

std::string header(const std::string& descr, const std::string& shape) {
    return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
}

TEST(Idx, ReadsBytesAndBigEndianFloats) {
    const Bytes file = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255};
    const Array array = parse_idx(file, "f");
    EXPECT_THAT(array.shape, ElementsAre(2, 3));
    EXPECT_EQ(array.at(5), 255);
    EXPECT_EQ(array.digest, sha256_hex(ByteView(file)));
    const Array real = parse_idx({0, 0, 0x0d, 1, 0, 0, 0, 1, 0x40, 0x48, 0, 0}, "f");
    EXPECT_EQ(real.at(0), 3.125);
    const Array minus = parse_idx({0, 0, 0x0b, 1, 0, 0, 0, 1, 0xff, 0xfe}, "f");
    EXPECT_EQ(minus.at(0), -2);
}

TEST(Idx, HostileHeadersAreRefusedBeforeAllocation) {
    EXPECT_THAT(error_of([] { parse_idx({}, "x.idx"); }), HasSubstr("x.idx: not an IDX file"));
    EXPECT_THAT(error_of([] { parse_idx({1, 0, 8, 1}, "f"); }), HasSubstr("not an IDX file"));
    EXPECT_THAT(error_of([] { parse_idx({0, 0, 7, 1}, "f"); }), HasSubstr("element type 7"));
    EXPECT_THAT(error_of([] { parse_idx({0, 0, 8, 0}, "f"); }), HasSubstr("rank"));
    EXPECT_THAT(error_of([] { parse_idx({0, 0, 8, 200}, "f"); }), HasSubstr("rank"));
    EXPECT_THAT(error_of([] { parse_idx({0, 0, 8, 2, 0, 0}, "f"); }), HasSubstr("ends early"));
    Bytes huge = {0, 0, 0x0e, 8};
    huge.insert(huge.end(), 32, 0xff);  // (2^32 - 1)^8 doubles
    EXPECT_THAT(error_of([&] { parse_idx(huge, "f"); }), HasSubstr("but 0 bytes follow"));
    EXPECT_THAT(error_of([] {
                    parse_idx({0, 0, 8, 1, 0, 0, 0, 3, 1, 2}, "f");
                }),
                HasSubstr("announces 3 elements of 1 bytes, but 2 bytes follow"));
    EXPECT_THAT(error_of([] {
                    parse_idx({0, 0, 8, 1, 0, 0, 0, 1, 1, 2}, "f");
                }),
                HasSubstr("but 2 bytes follow"));
}

TEST(Npy, ReadsEveryTypeAndVersion) {
    EXPECT_EQ(parse_npy(npy(header("|u1", "(2,)"), {7, 200}), "f").at(1), 200);
    EXPECT_EQ(parse_npy(npy(header("<i2", "(1,)"), raw<int16_t>({-5})), "f").at(0), -5);
    EXPECT_EQ(parse_npy(npy(header("<i4", "(1,)"), raw<int32_t>({-5})), "f").at(0), -5);
    EXPECT_EQ(parse_npy(npy(header("<i8", "()"), raw<int64_t>({1ll << 40})), "f").at(0),
              static_cast<double>(1ll << 40));
    for (uint8_t version : {1, 2, 3}) {
        const Array array =
            parse_npy(npy(header("<f4", "(2, 1)"), raw<float>({1.5f, -2}), version), "f");
        EXPECT_THAT(array.shape, ElementsAre(2, 1));
        EXPECT_EQ(array.at(1), -2);
    }
    const std::string reordered =
        "{\"shape\": (1,), \"fortran_order\": True, \"descr\": \"<f8\"}      \n";
    EXPECT_EQ(parse_npy(npy(reordered, raw<double>({2.25})), "f").at(0), 2.25);
}

TEST(Npy, RefusesWhatItCannotRead) {
    const auto unsupported = ErrorCode::kUnsupported;
    EXPECT_THAT(error_of([] { parse_npy({1, 2, 3}, "a.npy"); }), HasSubstr("a.npy: not an NPY"));
    EXPECT_THAT(error_of([] { parse_npy(npy(header("|O", "(1,)"), {0}), "f"); }, unsupported),
                HasSubstr("type '|O'"));
    EXPECT_THAT(error_of([] { parse_npy(npy(header(">f4", "(1,)"), {0}), "f"); }, unsupported),
                HasSubstr("little-endian"));
    EXPECT_THAT(
        error_of([] { parse_npy(npy("{'descr': [('a', '<f4')], ", {}), "f"); }, unsupported),
        HasSubstr("records"));
    const std::string fortran = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2), }";
    EXPECT_THAT(error_of(
                    [&] {
                        parse_npy(npy(fortran, {1, 2, 3, 4}), "f");
                    },
                    unsupported),
                HasSubstr("Fortran order"));
    EXPECT_THAT(error_of([] { parse_npy(npy(header("|u1", "(1,)"), {0}, 9), "f"); }, unsupported),
                HasSubstr("version"));
}

TEST(Npy, HostileHeadersAreRefused) {
    EXPECT_THAT(
        error_of([] { parse_npy(npy(header("|u1", "(999999999999, 999999999999)"), {}), "f"); }),
        HasSubstr("but 0 bytes follow"));
    EXPECT_THAT(error_of([] { parse_npy(npy(header("|u1", "(9999999999999999999,)"), {}), "f"); }),
                HasSubstr("too large"));
    EXPECT_THAT(error_of([] { parse_npy(npy(header("|u1", "(1,1,1,1,1,1,1,1,1)"), {1}), "f"); }),
                HasSubstr("dimensions"));
    EXPECT_THAT(error_of([] { parse_npy(npy(header("|u1", "(-1,)"), {}), "f"); }),
                HasSubstr("malformed"));
    EXPECT_THAT(error_of([] { parse_npy(npy("{'descr': '|u1'}", {}), "f"); }), HasSubstr("lacks"));
    EXPECT_THAT(error_of([] { parse_npy(npy("{'x': 1}", {}), "f"); }), HasSubstr("unknown key"));
    EXPECT_THAT(error_of([] { parse_npy(npy("{'descr", {}), "f"); }), HasSubstr("open string"));
    Bytes lying = npy(header("|u1", "(1,)"), {1}, 2);
    lying[11] = 0xff;
    EXPECT_THAT(error_of([&] { parse_npy(lying, "f"); }), HasSubstr("header claims"));
}

TEST(Cifar, ReadsRecordsAndRefusesWrongOnes) {
    Bytes file(2 * 3073, 9);
    file[3073] = 4;
    file[3073 + 1] = 77;
    const LabelledImages images = parse_cifar(file, "f");
    EXPECT_THAT(images.labels, ElementsAre(9, 4));
    EXPECT_THAT(images.pixels.shape, ElementsAre(2, 3, 32, 32));
    EXPECT_EQ(images.pixels.at(3072), 77);
    file[0] = 10;
    EXPECT_THAT(error_of([&] { parse_cifar(file, "f"); }),
                HasSubstr("record 1 has class 10, expected 0 to 9"));
    file.pop_back();
    EXPECT_THAT(error_of([&] { parse_cifar(file, "f"); }), HasSubstr("3073"));
    EXPECT_THAT(error_of([&] { parse_cifar({}, "f"); }), HasSubstr("got 0 bytes"));
    // CIFAR-100: coarse and fine class; the fine one counts.
    Bytes hundred(3 * 3074, 9);
    hundred[0] = 200;
    hundred[1] = 99;
    hundred[2 * 3074 + 2] = 55;
    const LabelledImages more = parse_cifar(hundred, "f");
    EXPECT_EQ(more.classes, 100);
    EXPECT_THAT(more.labels, ElementsAre(99, 9, 9));
    EXPECT_EQ(more.pixels.at(2 * 3072), 55);
    hundred[3074 + 1] = 100;
    EXPECT_THAT(error_of([&] { parse_cifar(hundred, "f"); }),
                HasSubstr("record 2 has class 100, expected 0 to 99"));
}

}  // namespace
}  // namespace ward::data
