#include "ward/attack/evasion_state.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "ward/attack/table_rules.h"
#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/log.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using nlohmann::json;

constexpr std::string_view kMagic = "ward evasion state 1\n";
constexpr size_t kDigestBytes = 64;  // as text
constexpr size_t kLengthBytes = 8;
constexpr size_t kMostHeadBytes = size_t{1} << 20;
constexpr size_t kMostBytes = size_t{1} << 36;
constexpr int64_t kMostDimensions = 8;

[[noreturn]] void fail(const std::string& what, const std::string& path) {
    throw Error(ErrorCode::kIo, what + " " + path + ": " + std::strerror(errno),
                "check the folder, its permissions and the space left");
}

[[noreturn]] void corrupt(const std::string& path, const std::string& what) {
    throw Error(ErrorCode::kCorrupt, path + " " + what,
                "give the file of an earlier run, or a new name");
}

std::string length_bytes(uint64_t value) {
    std::string bytes;
    for (size_t i = 0; i < kLengthBytes; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
    return bytes;
}

uint64_t length_at(ByteView bytes, size_t place) {
    uint64_t value = 0;
    for (size_t i = kLengthBytes; i-- > 0;) value = value << 8 | bytes[place + i];
    return value;
}

std::string_view text_of(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string write_body(const EvasionState::Batch& batch) {
    const at::Tensor found = batch.found.contiguous();
    const std::string head = json{
        {"shape", found.sizes().vec()},
        {"forward", batch.counts.forward},
        {"backward", batch.counts.backward},
        {"cpu_seconds", batch.cpu_seconds},
        {"memory", batch.memory}}.dump();
    std::string body = length_bytes(head.size()) + head;
    body.append(reinterpret_cast<const char*>(found.data_ptr<float>()),
                static_cast<size_t>(found.numel()) * sizeof(float));
    return body;
}

// The batch of a body whose digest is right; nothing where it is none of ours.
std::optional<EvasionState::Batch> read_body(ByteView body) {
    if (body.size() < kLengthBytes) return {};
    const uint64_t head_bytes = length_at(body, 0);
    if (head_bytes > kMostHeadBytes || head_bytes > body.size() - kLengthBytes) return {};
    const json head = json::parse(text_of(body.subspan(kLengthBytes, head_bytes)), nullptr, false);
    const ByteView floats = body.subspan(kLengthBytes + head_bytes);
    try {
        const auto shape = head.at("shape").get<std::vector<int64_t>>();
        if (shape.empty() || std::ssize(shape) > kMostDimensions) return {};
        uint64_t count = 1;
        for (const int64_t size : shape) {
            if (size < 0 || (size > 0 && count > floats.size() / static_cast<uint64_t>(size)))
                return {};
            count *= static_cast<uint64_t>(size);
        }
        if (count * sizeof(float) != floats.size()) return {};
        EvasionState::Batch batch;
        batch.found = torch::empty(shape);
        std::memcpy(batch.found.data_ptr<float>(), floats.data(), floats.size());
        batch.counts = {head.at("forward").get<int64_t>(), head.at("backward").get<int64_t>()};
        batch.cpu_seconds = head.at("cpu_seconds").get<double>();
        batch.memory = head.at("memory").get<std::string>();
        return batch;
    } catch (const json::exception&) {
        return {};
    }
}

void update(Sha256& digest, const at::Tensor& x) {
    if (!x.defined()) return;
    const at::Tensor rows = x.contiguous();
    std::string shape;
    for (const int64_t size : rows.sizes()) shape.append(1, ' ').append(std::to_string(size));
    digest.update(shape + "\n");
    digest.update(ByteView(static_cast<const uint8_t*>(rows.data_ptr()), rows.nbytes()));
}

}  // namespace

EvasionState::EvasionState(std::string path, const std::string& run) : path_(std::move(path)) {
    lock_.emplace(path_ + ".lock");
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor_ < 0) fail("cannot open", path_);
    try {
        load(run);
    } catch (...) {
        ::close(descriptor_);
        throw;
    }
}

EvasionState::~EvasionState() { ::close(descriptor_); }

void EvasionState::load(const std::string& run) {
    const Bytes file = read_file(path_, kMostBytes);
    const std::string head = std::string(kMagic) + run + "\n";
    const std::string_view text = text_of(file);
    if (text.size() < head.size() && head.starts_with(text)) {  // new, or torn off at once
        if (::ftruncate(descriptor_, 0) != 0) fail("cannot shorten", path_);
        append(head);
        return;
    }
    if (!text.starts_with(kMagic)) corrupt(path_, "is not the state of an evasion run, version 1");
    if (!text.starts_with(head)) {
        throw Error(ErrorCode::kRefused,
                    path_ + " is the state of another run: other options, model or examples",
                    "give each run a state of its own");
    }
    const size_t good = read_batches(file, head.size());
    if (good == file.size()) return;
    log_warning("the last batch of " + path_ + " was torn off, and is made again");
    if (::ftruncate(descriptor_, static_cast<off_t>(good)) != 0) fail("cannot shorten", path_);
}

// The end of the last whole batch.
size_t EvasionState::read_batches(ByteView file, size_t place) {
    while (file.size() - place >= kLengthBytes + kDigestBytes) {
        const uint64_t length = length_at(file, place);
        const size_t body = place + kLengthBytes + kDigestBytes;
        if (length > file.size() - body) break;
        const ByteView bytes = file.subspan(body, length);
        const bool whole =
            text_of(file.subspan(place + kLengthBytes, kDigestBytes)) == sha256_hex(bytes);
        std::optional<Batch> batch = whole ? read_body(bytes) : std::nullopt;
        if (!batch) {
            if (body + length == file.size()) break;
            corrupt(path_, "is damaged in batch " + std::to_string(batches_.size() + 1));
        }
        batches_.push_back(std::move(*batch));
        place = body + length;
    }
    return place;
}

void EvasionState::add(const Batch& batch) {
    const std::string body = write_body(batch);
    append(length_bytes(body.size()) + sha256_hex(body) + body);
    batches_.push_back(batch);
}

void EvasionState::append(const std::string& bytes) {
    size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t put = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) fail("cannot write", path_);
        done += static_cast<size_t>(put);
    }
    if (::fdatasync(descriptor_) != 0 && errno != EINVAL) fail("cannot write", path_);
}

std::string evasion_run_digest(const Attack& attack, const Points& points,
                               const EvasionOptions& options) {
    std::vector<int> moves;
    for (const Move move : options.moves) moves.push_back(static_cast<int>(move));
    Sha256 digest;
    digest.update(json{
        {"attack", attack.name()},
        {"target", options.target_mark},
        {"norm", norm_name(options.norm)},
        {"epsilon", options.epsilon},
        {"steps", options.steps},
        {"step_size", options.step_size},
        {"restarts", options.restarts},
        {"eot", options.eot},
        {"momentum", options.momentum},
        {"random_start", options.random_start},
        {"box", {options.lower, options.upper}},
        {"seed", options.seed},
        {"batch", options.batch},
        {"all_steps", options.all_steps},
        {"moves",
         moves}}.dump());
    for (const at::Tensor* tensor : {&points.x, &points.y, &points.wanted}) update(digest, *tensor);
    return digest.hex();
}

}  // namespace ward::attack
