// What a service was asked and what it answered: an append-only file, so that no answer is paid
// twice, a run that was killed goes on where it was, and a finished one can be replayed without the
// service. Format: docs/formats/query_ledger.md.
//
// A query is written before it is sent and its answer as soon as it is there, both by one appending
// write that reaches the disk before the next step. Queries that were sent when the process died
// are lost: nobody knows whether they were served. A tail that was torn off in the middle of a line
// is cut away.
//
// Threat: none against who can write the file; the file holds answers of the model, and so is as
// confidential as they are (mode 0600). Digests of queries let who has the inputs recognise them.
//
// Thread safety: none; a lock keeps other processes out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ward/core/file.h"

namespace ward::attack {

class QueryLedger {
  public:
    // Opens or begins a ledger of this target: whatever its answers depend on, as text. Throws
    // Error kRefused (a ledger of another target, held by another process), kCorrupt (damaged
    // elsewhere than at its end), kIo.
    QueryLedger(std::string path, const std::string& target);
    ~QueryLedger();
    QueryLedger(const QueryLedger&) = delete;
    QueryLedger& operator=(const QueryLedger&) = delete;

    // The answer to a query by its digest; null where there is none.
    const std::vector<float>* find(const std::string& query) const;
    // Sent by a process that died before the answer.
    bool lost(const std::string& query) const { return lost_.contains(query); }

    void sent(const std::vector<std::string>& queries);
    void answered(const std::vector<std::string>& queries,
                  const std::vector<std::vector<float>>& answers);
    // The queries sent last were refused, and so not paid.
    void not_served(const std::vector<std::string>& queries);

    int64_t answers() const { return static_cast<int64_t>(answers_.size()); }
    int64_t lost_count() const { return static_cast<int64_t>(lost_.size()); }
    bool cut_tail() const { return cut_tail_; }
    const std::string& path() const { return path_; }

  private:
    void load(const std::string& target);
    void read_lines(const std::string& text, const std::string& target);
    bool apply(const std::string& line);
    void append(const std::string& text);

    std::string path_;
    std::optional<FileLock> lock_;
    int descriptor_ = -1;
    std::unordered_map<std::string, std::vector<float>> answers_;
    std::unordered_set<std::string> lost_;
    bool cut_tail_ = false;
};

// SHA-256 of an input as it is sent: its shape and its numbers.
std::string query_digest(const std::vector<int64_t>& shape, const float* values, int64_t count);

}  // namespace ward::attack
