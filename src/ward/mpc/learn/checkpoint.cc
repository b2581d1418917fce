#include "ward/mpc/learn/checkpoint.h"

#include <cstring>
#include <filesystem>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/aead.h"

namespace ward::mpc {
namespace {

constexpr std::string_view kMagic = "ward-mpc-state/3";
constexpr uint64_t kMaxMatrices = 1 << 16;
constexpr uint64_t kMaxValues = uint64_t{1} << 40;

std::string previous_of(const std::string& path) { return path + ".previous"; }

Bytes associated(const CheckpointPlace& place) {
    const std::string text = std::string(kMagic) + "|" + std::string(kProtocol) + "|" + place.job +
                             "|party " + std::to_string(place.party);
    return {text.begin(), text.end()};
}

crypto::Aead aead_of(const CheckpointPlace& place) {
    if (place.key == nullptr) throw Error(ErrorCode::kUsage, "a checkpoint needs a key");
    return {crypto::AeadAlgorithm::kXChaCha20Poly1305, *place.key};
}

class Writer {
  public:
    void number(uint64_t value) { raw(&value, sizeof(value)); }
    void raw(const void* data, size_t size) {
        const auto* bytes = static_cast<const uint8_t*>(data);
        out_.insert(out_.end(), bytes, bytes + size);
    }
    Bytes& bytes() { return out_; }

  private:
    Bytes out_;
};

class Reader {
  public:
    explicit Reader(ByteView bytes) : bytes_(bytes) {}

    uint64_t number() {
        uint64_t value = 0;
        raw(&value, sizeof(value));
        return value;
    }
    void raw(void* out, size_t size) {
        if (size > bytes_.size()) throw Error(ErrorCode::kCorrupt, "a checkpoint ends too early");
        if (size > 0) std::memcpy(out, bytes_.data(), size);
        bytes_ = bytes_.subspan(size);
    }
    size_t left() const { return bytes_.size(); }

  private:
    ByteView bytes_;
};

}  // namespace

namespace internal {

Bytes encode_checkpoint(const Checkpoint& checkpoint) {
    Writer out;
    out.number(checkpoint.step);
    out.number(checkpoint.run);
    out.number(checkpoint.finished ? 1 : 0);
    for (const SecretBytes* key : {&checkpoint.keys.own, &checkpoint.keys.next}) {
        out.number(key->size());
        out.raw(key->reveal().data(), key->size());
    }
    out.number(checkpoint.data_digest.size());
    out.raw(checkpoint.data_digest.data(), checkpoint.data_digest.size());
    out.number(checkpoint.state.size());
    for (const SharedMatrix& matrix : checkpoint.state) {
        out.number(matrix.rows);
        out.number(matrix.cols);
        for (const RingVector* part : {&matrix.first, &matrix.second}) {
            out.raw(part->data(), part->size() * sizeof(Ring));
        }
    }
    return std::move(out.bytes());
}

Checkpoint decode_checkpoint(ByteView bytes) {
    Reader in(bytes);
    Checkpoint out;
    out.step = in.number();
    out.run = in.number();
    const uint64_t finished = in.number();
    if (finished > 1) throw Error(ErrorCode::kCorrupt, "a checkpoint with an unknown flag");
    out.finished = finished == 1;
    for (SecretBytes* key : {&out.keys.own, &out.keys.next}) {
        const uint64_t size = in.number();
        if (size != KeyStream::kKeyBytes) {
            throw Error(ErrorCode::kCorrupt, "a checkpoint with a key of another length");
        }
        *key = SecretBytes(size);
        in.raw(key->reveal_mutable().data(), size);
    }
    const uint64_t digest_size = in.number();
    if (digest_size > in.left()) throw Error(ErrorCode::kCorrupt, "a checkpoint ends too early");
    out.data_digest.resize(digest_size);
    in.raw(out.data_digest.data(), digest_size);
    const uint64_t matrices = in.number();
    if (matrices > kMaxMatrices) throw Error(ErrorCode::kCorrupt, "a checkpoint is too large");
    for (uint64_t i = 0; i < matrices; ++i) {
        const uint64_t rows = in.number(), cols = in.number();
        if (rows > kMaxValues || cols > kMaxValues ||
            (rows != 0 && cols > in.left() / (2 * sizeof(Ring)) / rows)) {
            throw Error(ErrorCode::kCorrupt, "a checkpoint ends too early");
        }
        SharedMatrix& matrix = out.state.emplace_back(rows, cols);
        for (RingVector* part : {&matrix.first, &matrix.second}) {
            in.raw(part->data(), part->size() * sizeof(Ring));
        }
    }
    if (in.left() != 0) throw Error(ErrorCode::kCorrupt, "a checkpoint with bytes behind its end");
    return out;
}

}  // namespace internal

namespace {

std::optional<Checkpoint> load(const CheckpointPlace& place, const std::string& path) {
    if (!std::filesystem::exists(path)) return std::nullopt;
    const Bytes sealed = read_file(path);
    try {
        const SecretBytes plain = aead_of(place).open(sealed, associated(place));
        return internal::decode_checkpoint(plain.reveal());
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kCorrupt) throw;
        throw Error(
            ErrorCode::kCorrupt,
            path + " is no checkpoint of this job and party under this key: " + error.message(),
            "give each job a checkpoint file of its own (a private one leaves its last state), and "
            "the key it was made with");
    }
}

}  // namespace

namespace {

// By a link and a change of its name, so that both names have whole files at any moment.
void step_back(const std::string& path) {
    const std::string link = path + ".stepping-back";
    try {
        std::filesystem::remove(link);
        std::filesystem::create_hard_link(path, link);
        std::filesystem::rename(link, previous_of(path));
        std::filesystem::remove(link);  // it stays when both are one file already
    } catch (const std::filesystem::filesystem_error& error) {
        throw Error(ErrorCode::kIo, "cannot keep " + path + " as " + previous_of(path) + ": " +
                                        error.code().message());
    }
}

}  // namespace

void save_checkpoint(const CheckpointPlace& place, const Checkpoint& checkpoint, Present present) {
    Bytes plain = internal::encode_checkpoint(checkpoint);
    const Bytes sealed = aead_of(place).seal(plain, associated(place));
    wipe(plain.data(), plain.size());
    AtomicFile file(place.path, AtomicFile::Readers::kOwner);
    file.write(ByteView(sealed));
    if (present == Present::kStepsBack && std::filesystem::exists(place.path))
        step_back(place.path);
    file.commit();
}

std::vector<Checkpoint> load_checkpoints(const CheckpointPlace& place,
                                         DamagedCheckpoints* damaged) {
    std::vector<Checkpoint> out;
    std::optional<Error> first_error;
    DamagedCheckpoints found;
    for (bool present : {true, false}) {
        try {
            auto saved = load(place, present ? place.path : previous_of(place.path));
            if (saved) out.push_back(std::move(*saved));
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kCorrupt) throw;
            (present ? found.present : found.previous) = true;
            if (!first_error) first_error = error;
        }
    }
    if (first_error && (damaged == nullptr || out.empty())) throw *first_error;
    if (damaged != nullptr) *damaged = found;
    return out;
}

void remove_checkpoints(const CheckpointPlace& place) {
    for (const std::string& path : {place.path, previous_of(place.path)}) {
        std::filesystem::remove(path);
    }
}

}  // namespace ward::mpc
