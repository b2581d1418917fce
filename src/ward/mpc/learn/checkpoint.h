// One party's state of a training on shares, on disk: shares of the model, step, common keys.
//
// The file is one AEAD box (XChaCha20-Poly1305) under a key of the party's own; protocol version,
// job digest and party index are authenticated with it, so another's file does not open. It appears
// whole or not at all, and the one before it is kept as PATH.previous, because a party may have
// been cut off one save ahead of the others. Layout: docs/formats/mpc_frames.md.
//
// Threat: who reads or changes the file without the key. With the key it is as good as the party:
// two parties' files and keys give the model and all that was shared. An old file put in place of a
// newer one is not told apart here, but by the other parties (checkpoint_resume.h).
// Thread safety: free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

struct Checkpoint {
    uint64_t step = 0;
    uint64_t run = 0;       // number of the run whose steps led here (checkpoint_resume.h)
    bool finished = false;  // the last one of a job whose result may have been opened
    Party::Keys keys;
    std::string data_digest;  // of what this party brings; empty for none
    std::vector<SharedMatrix> state;
};

struct CheckpointPlace {
    std::string path;
    const SecretBytes* key = nullptr;  // 32 bytes
    std::string job;                   // digest
    int party = 0;
};

// What becomes of the file that is there.
enum class Present { kStepsBack, kReplaced };
// Throws Error kIo, such as for a full disk; the files before it stay.
void save_checkpoint(const CheckpointPlace& place, const Checkpoint& checkpoint,
                     Present present = Present::kStepsBack);

// Files that do not open under this key, job and party, beside one that does.
struct DamagedCheckpoints {
    bool present = false;
    bool previous = false;
};

// The saved ones, newest first: none, one or two. Throws Error kCorrupt for a file that does not
// open under this key, job and party; with `damaged`, such a file beside one that opens is left out
// and told.
std::vector<Checkpoint> load_checkpoints(const CheckpointPlace& place,
                                         DamagedCheckpoints* damaged = nullptr);

// Both files, if they are there.
void remove_checkpoints(const CheckpointPlace& place);

namespace internal {

// What is inside the seal. Throws Error kCorrupt for bytes that are no checkpoint.
Bytes encode_checkpoint(const Checkpoint& checkpoint);
Checkpoint decode_checkpoint(ByteView bytes);

}  // namespace internal

}  // namespace ward::mpc
