#include "ward/mpc/share_file.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kMagic = "WARDMPCS";
constexpr uint32_t kVersion = 1;
constexpr size_t kPrefixBytes = 16;  // magic, version, length of the header
constexpr size_t kMaxHeaderBytes = size_t{32} << 20;
constexpr size_t kMaxMatrices = 65536;
constexpr size_t kMaxElements = size_t{1} << 34;
constexpr size_t kDigestDigits = 64;

[[noreturn]] void corrupt(const std::string& name, const std::string& what) {
    throw Error(ErrorCode::kCorrupt, name + ": " + what,
                "the file is damaged or no share file; ask its maker for it again");
}

ByteView bytes_of(const RingVector& values) {
    return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(Ring)};
}

// Over all matrices of one part.
template <typename PartOf>
std::string digest_of(std::span<const SharedMatrix> matrices, PartOf part_of) {
    Sha256 digest;
    for (const SharedMatrix& matrix : matrices) digest.update(bytes_of(part_of(matrix)));
    return digest.hex();
}

std::string digest_of_first(std::span<const SharedMatrix> matrices) {
    return digest_of(matrices, [](const SharedMatrix& m) -> const RingVector& { return m.first; });
}
std::string digest_of_second(std::span<const SharedMatrix> matrices) {
    return digest_of(matrices, [](const SharedMatrix& m) -> const RingVector& { return m.second; });
}

Json shapes_of(const ShareFile& file) {
    Json shapes = Json::array();
    for (const SharedMatrix& matrix : file.matrices) shapes.push_back({matrix.rows, matrix.cols});
    return shapes;
}

std::string id_of(const ShareFile& file) {
    const Json all = {file.kind, file.name, file.about, shapes_of(file), file.digests};
    return sha256_hex("ward mpc shares 1|" + all.dump());
}

size_t own_part(const ShareFile& file) { return static_cast<size_t>(file.party); }
size_t next_part(const ShareFile& file) { return (own_part(file) + 1) % 3; }

uint32_t read_u32(const uint8_t* at) {
    uint32_t value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

Json parse_header(ByteView text, const std::string& name) {
    const Json header = Json::parse(text.begin(), text.end(), nullptr, false);
    if (!header.is_object()) corrupt(name, "the header is no JSON object");
    return header;
}

std::string text_at(const Json& header, const char* key, const std::string& name) {
    const auto found = header.find(key);
    if (found == header.end() || !found->is_string()) {
        corrupt(name, std::string("the header has no text ") + key);
    }
    return found->get<std::string>();
}

std::array<std::string, 3> read_digests(const Json& header, const std::string& name) {
    const auto found = header.find("digests");
    if (found == header.end() || !found->is_array() || found->size() != 3) {
        corrupt(name, "the header has no three digests");
    }
    std::array<std::string, 3> out;
    for (size_t i = 0; i < 3; ++i) {
        if (!(*found)[i].is_string()) corrupt(name, "a digest is no text");
        out[i] = (*found)[i].get<std::string>();
        if (!out[i].empty() && out[i].size() != kDigestDigits)
            corrupt(name, "a digest is too short");
    }
    return out;
}

// Shapes whose elements are exactly what the rest of the file holds.
std::vector<std::pair<size_t, size_t>> read_shapes(const Json& header, size_t payload_bytes,
                                                   const std::string& name) {
    const auto found = header.find("matrices");
    if (found == header.end() || !found->is_array() || found->size() > kMaxMatrices) {
        corrupt(name, "the header has no list of matrices");
    }
    std::vector<std::pair<size_t, size_t>> out;
    size_t elements = 0;
    for (const Json& shape : *found) {
        const bool numbers = shape.is_array() && shape.size() == 2 &&
                             shape[0].is_number_unsigned() && shape[1].is_number_unsigned();
        if (!numbers) corrupt(name, "a matrix has no rows and columns");
        const auto rows = shape[0].get<uint64_t>(), cols = shape[1].get<uint64_t>();
        if (rows > kMaxElements || cols > kMaxElements ||
            (cols > 0 && rows > kMaxElements / cols)) {
            corrupt(name, "a matrix is too large");
        }
        elements += rows * cols;
        if (elements > kMaxElements) corrupt(name, "the matrices are too large");
        out.emplace_back(rows, cols);
    }
    if (payload_bytes != elements * 2 * sizeof(Ring)) {
        corrupt(name, "has " + std::to_string(payload_bytes) + " bytes of parts, expected " +
                          std::to_string(elements * 2 * sizeof(Ring)));
    }
    return out;
}

void require_digests(const ShareFile& file, const std::string& name) {
    const bool right = file.digests[own_part(file)] == digest_of_first(file.matrices) &&
                       file.digests[next_part(file)] == digest_of_second(file.matrices);
    if (!right) corrupt(name, "the parts are not those of the digests");
    if (file.kind == "data" && file.id != id_of(file))
        corrupt(name, "the id is not that of the data");
}

void require_one_set(std::span<const ShareFile> files) {
    if (files.size() < 2) {
        throw Error(ErrorCode::kUsage, "two files of different parties are needed, got " +
                                           std::to_string(files.size()));
    }
    for (const ShareFile& file : files) {
        const ShareFile& first = files.front();
        const bool same = file.kind == first.kind && file.name == first.name &&
                          file.id == first.id && file.about == first.about &&
                          shapes_of(file) == shapes_of(first);
        if (!same) throw Error(ErrorCode::kUsage, "the files are parts of different things");
    }
    for (size_t i = 0; i < files.size(); ++i) {
        for (size_t j = 0; j < i; ++j) {
            if (files[i].party != files[j].party) continue;
            throw Error(ErrorCode::kUsage,
                        "two files are of party " + std::to_string(files[i].party));
        }
    }
}

}  // namespace

std::array<ShareFile, 3> split_to_files(const std::string& name, const std::string& about,
                                        std::span<const RingMatrix> matrices, Random& random) {
    std::array<ShareFile, 3> out;
    for (const RingMatrix& matrix : matrices) {
        std::array<SharedMatrix, 3> parts = split(matrix, random);
        for (size_t i = 0; i < 3; ++i) out[i].matrices.push_back(std::move(parts[i]));
    }
    std::array<std::string, 3> digests;
    for (size_t i = 0; i < 3; ++i) digests[i] = digest_of_first(out[i].matrices);
    for (size_t i = 0; i < 3; ++i) {
        out[i].kind = "data";
        out[i].name = name;
        out[i].about = about;
        out[i].party = static_cast<int>(i);
        out[i].digests = digests;
        out[i].id = id_of(out[i]);
    }
    return out;
}

ShareFile result_file(std::string kind, std::string name, std::string id, std::string about,
                      int party, std::vector<SharedMatrix> matrices) {
    ShareFile out{std::move(kind),
                  std::move(name),
                  std::move(id),
                  std::move(about),
                  party,
                  std::move(matrices),
                  {}};
    out.digests[own_part(out)] = digest_of_first(out.matrices);
    out.digests[next_part(out)] = digest_of_second(out.matrices);
    return out;
}

Bytes write_share_file(const ShareFile& file) {
    const Json header = {{"kind", file.kind},      {"name", file.name},
                         {"id", file.id},          {"about", file.about},
                         {"party", file.party},    {"matrices", shapes_of(file)},
                         {"digests", file.digests}};
    const std::string text = header.dump();
    if (text.size() > kMaxHeaderBytes) {
        throw Error(ErrorCode::kUsage, "what a share file says about itself is too long");
    }
    Bytes out(kMagic.begin(), kMagic.end());
    const auto append = [&](const void* data, size_t size) {
        const auto* begin = static_cast<const uint8_t*>(data);
        out.insert(out.end(), begin, begin + size);
    };
    const auto length = static_cast<uint32_t>(text.size());
    append(&kVersion, sizeof(kVersion));
    append(&length, sizeof(length));
    append(text.data(), text.size());
    for (const SharedMatrix& matrix : file.matrices) {
        for (const RingVector* part : {&matrix.first, &matrix.second}) {
            append(part->data(), part->size() * sizeof(Ring));
        }
    }
    return out;
}

ShareFile parse_share_file(ByteView bytes, const std::string& name) {
    if (bytes.size() < kPrefixBytes || !std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) {
        corrupt(name, "is no share file");
    }
    if (const uint32_t version = read_u32(&bytes[8]); version != kVersion) {
        throw Error(ErrorCode::kUnsupported,
                    name + ": share file of version " + std::to_string(version) + ", expected 1",
                    "a newer ward made it");
    }
    const size_t length = read_u32(&bytes[12]);
    if (length > kMaxHeaderBytes || length > bytes.size() - kPrefixBytes) {
        corrupt(name, "the header is cut off");
    }
    const Json header = parse_header(bytes.subspan(kPrefixBytes, length), name);
    const ByteView payload = bytes.subspan(kPrefixBytes + length);
    ShareFile out;
    out.kind = text_at(header, "kind", name);
    if (out.kind != "data" && out.kind != "model" && out.kind != "scores" &&
        out.kind != "statistics") {
        corrupt(name, "is of no known kind");
    }
    out.name = text_at(header, "name", name);
    out.id = text_at(header, "id", name);
    out.about = text_at(header, "about", name);
    out.digests = read_digests(header, name);
    const auto party = header.find("party");
    if (party == header.end() || !party->is_number_unsigned() || party->get<uint64_t>() > 2) {
        corrupt(name, "the party is not 0, 1 or 2");
    }
    out.party = party->get<int>();
    const uint8_t* next = payload.data();
    for (const auto& [rows, cols] : read_shapes(header, payload.size(), name)) {
        SharedMatrix& matrix = out.matrices.emplace_back(rows, cols);
        for (RingVector* part : {&matrix.first, &matrix.second}) {
            if (part->empty()) continue;
            std::memcpy(part->data(), next, part->size() * sizeof(Ring));
            next += part->size() * sizeof(Ring);
        }
    }
    require_digests(out, name);
    return out;
}

std::vector<RingMatrix> combine(std::span<const ShareFile> files) {
    require_one_set(files);
    // Each part from any file that has it; a second one must have the same digest.
    std::array<std::string, 3> digests;
    std::array<const ShareFile*, 3> holder{};
    for (const ShareFile& file : files) {
        for (size_t part : {own_part(file), next_part(file)}) {
            if (holder[part] != nullptr && digests[part] != file.digests[part]) {
                throw Error(ErrorCode::kCorrupt,
                            "parties " + std::to_string(holder[part]->party) + " and " +
                                std::to_string(file.party) + " give different parts",
                            "one of them has deviated or its file is damaged");
            }
            holder[part] = &file;
            digests[part] = file.digests[part];
        }
    }
    std::vector<RingMatrix> out;
    for (size_t m = 0; m < files[0].matrices.size(); ++m) {
        RingMatrix& values = out.emplace_back(files[0].matrices[m].rows, files[0].matrices[m].cols);
        std::fill(values.values.begin(), values.values.end(), Ring{0});
        for (size_t part = 0; part < 3; ++part) {
            const SharedMatrix& from = holder[part]->matrices[m];
            const RingVector& own = own_part(*holder[part]) == part ? from.first : from.second;
            for (size_t i = 0; i < values.size(); ++i) values.values[i] += own[i];
        }
    }
    return out;
}

}  // namespace ward::mpc
