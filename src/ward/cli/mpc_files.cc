#include "ward/cli/internal/mpc_files.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "ward/cli/internal/passphrase.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/key_file.h"
#include "ward/crypto/stream.h"
#include "ward/data/encode.h"
#include "ward/data/schema.h"

namespace ward::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kMaxShareFileBytes = uint64_t{1} << 36;

template <typename T>
T value_at(const Json& object, const char* key, const std::string& where) {
    try {
        return object.at(key).get<T>();
    } catch (const nlohmann::json::exception&) {
        throw Error(ErrorCode::kCorrupt, where + ": what it says about itself has no " + key);
    }
}

}  // namespace

crypto::AgeKeys load_share_keys(const std::string& path) {
    crypto::AgeKeys keys;
    keys.identities = crypto::load_identities(
        path, [] { return read_passphrase(-1, "Passphrase of the key", false); });
    return keys;
}

mpc::ShareFile open_share_file(const std::string& path, const crypto::AgeKeys& keys,
                               const std::string& keys_from) {
    std::error_code ignored;
    const uint64_t size = std::filesystem::file_size(path, ignored);
    if (ignored || size > kMaxShareFileBytes) {
        throw Error(ErrorCode::kNotFound, path + " is missing or no share file",
                    "shares are made by `ward mpc share`");
    }
    crypto::FileSource source(path);
    crypto::SecretSink plain(size);
    try {
        crypto::age_decrypt(source, plain, keys);
    } catch (const Error& error) {
        const bool other_keys = error.code() == ErrorCode::kInvalid;
        throw Error(error.code(), path + ": " + error.message(),
                    other_keys ? keys_from : error.hint());
    }
    return mpc::parse_share_file(plain.bytes(), path);
}

void seal_share_file(const mpc::ShareFile& file, const std::vector<crypto::AgeRecipient>& readers,
                     const std::string& path) {
    Bytes plain = mpc::write_share_file(file);
    crypto::MemorySource source{ByteView(plain)};
    crypto::MemorySink sealed;
    crypto::AgeRecipients recipients;
    recipients.recipients = readers;
    crypto::age_encrypt(source, sealed, recipients);
    wipe(plain.data(), plain.size());
    AtomicFile out(path, AtomicFile::Readers::kOwner);
    out.write(sealed.bytes());
    out.commit();
}

std::string about_data(const data::Dataset& data) {
    const Json about = {{"shape", data.example_shape},
                        {"features", data.feature_names},
                        {"classes", data.class_names},
                        {"preprocessing", data.preprocessing_json},
                        {"bounds_read_from_data", data.bounds_read_from_data}};
    return about.dump();
}

data::Dataset data_from_about(const std::string& about, const std::string& where) {
    const Json object = Json::parse(about, nullptr, false);
    data::Dataset out;
    out.example_shape = value_at<std::vector<int64_t>>(object, "shape", where);
    out.feature_names = value_at<std::vector<std::string>>(object, "features", where);
    out.class_names = value_at<std::vector<std::string>>(object, "classes", where);
    out.preprocessing_json = value_at<std::string>(object, "preprocessing", where);
    out.bounds_read_from_data = value_at<bool>(object, "bounds_read_from_data", where);
    return out;
}

std::string input_encoding(const data::Dataset& data) {
    const Json record = Json::parse(data.preprocessing_json, nullptr, false);
    if (!record.is_object() || record.value("kind", Json()) != Json("table")) {
        return Json{{"shape", data.example_shape}, {"preprocessing", record}}.dump();
    }
    const data::Schema schema = data::schema_of(data.preprocessing_json);
    data::Schema inputs;
    inputs.symmetric_range = schema.symmetric_range;
    for (data::ColumnSchema column : schema.columns) {
        const bool is_input = column.kind == data::ColumnKind::kNumeric ||
                              column.kind == data::ColumnKind::kInteger ||
                              column.kind == data::ColumnKind::kCategorical;
        if (!is_input) continue;
        column.comment.clear();
        inputs.columns.push_back(std::move(column));
    }
    return data::schema_to_json(inputs);
}

}  // namespace ward::cli
