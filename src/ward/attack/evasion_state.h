// What an evasion run has found so far, in a file: a run that was killed goes on behind its last
// batch and ends with the same bits. Format: docs/formats/evasion_state.md.
//
// Each batch reaches the disk before the next one begins. A tail that was torn off is cut away.
//
// Threat: none against who can write the file. It holds inputs made from the examples, and so is as
// confidential as they are (mode 0600).
//
// Thread safety: none; a lock keeps other processes out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ward/attack/evasion.h"
#include "ward/core/bytes.h"
#include "ward/core/file.h"

namespace ward::attack {

class EvasionState {
  public:
    struct Batch {
        at::Tensor found;   // {rows, ...} float32, as the attack handed it back
        PassCounts counts;  // of this batch
        double cpu_seconds = 0;
        std::string memory;  // of the attack behind this batch: Attack::memory()
    };

    // Opens or begins the state of a run: the digest of all that its bits depend on. Throws Error
    // kRefused (the state of another run, held by another process), kCorrupt (no such file, damaged
    // elsewhere than at its end), kIo.
    EvasionState(std::string path, const std::string& run);
    ~EvasionState();
    EvasionState(const EvasionState&) = delete;
    EvasionState& operator=(const EvasionState&) = delete;

    const std::vector<Batch>& batches() const { return batches_; }
    void add(const Batch& batch);

  private:
    void load(const std::string& run);
    size_t read_batches(ByteView file, size_t place);
    void append(const std::string& bytes);

    std::string path_;
    std::optional<FileLock> lock_;
    int descriptor_ = -1;
    std::vector<Batch> batches_;
};

// SHA-256 of attack, options, target (as `options.target_mark` names it) and points.
std::string evasion_run_digest(const Attack& attack, const Points& points,
                               const EvasionOptions& options);

}  // namespace ward::attack
