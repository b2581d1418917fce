// A model behind an HTTP(S) service as something to attack: the Open Inference Protocol v2 in JSON
// (github.com/kserve/open-inference-protocol, "Inference", REST), as Triton, KServe, Seldon,
// MLServer and OpenVINO serve it.
//
//   RemoteModel model({.url = "https://host:8443", .model = "mnist", .ledger = "answers.ledger"});
//   Target target([&](const at::Tensor& x) { return model(x); }, Access::kScores);
//
// Answers: scores {n, classes} (floating point), labels {n} or {n, 1} (integers), or the k largest
// as "score:class[:name]" strings {n, k}, the classification extension of Triton; what these leave
// of 1 is spread evenly, none of it above the least told. Rounded ones may sum to more than 1, and
// leave nothing.
//
// The service is paid by the query. With a ledger (query_ledger.h) an answer that is there is never
// asked for again. What it says is not trusted: lengths, shapes and values are checked. Refusals
// (429, 503) are tried again when and as often as allowed; time-outs too, and counted, as such a
// query may have been served.
//
// Secrets: the bearer token is sent over TLS only, or to this machine. Certificates are verified.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ward/attack/extraction.h"
#include "ward/core/bytes.h"

namespace ward::attack {

struct RemoteOptions {
    std::string url;            // http(s)://host[:port][/prefix]
    std::string model;          // its name there
    std::string version;        // empty: the service's own choice
    std::string input, output;  // names of tensors; empty: the first ones of the metadata
    SecretBytes token;          // bearer token; empty: none
    std::string client_certificate, client_key;  // PEM files, for mTLS
    std::string authorities;                     // PEM file; empty: those of the system
    double rate = 0;                             // queries per second at most; 0: no limit
    int64_t batch = 64;                          // queries in one request
    int64_t retries = 5;                         // of one request
    double timeout_seconds = 30;                 // of one request
    double longest_wait_seconds = 120;           // between two tries; asked for more: an error
    int64_t classes = 0;                         // needed where only labels come back
    std::string ledger;                          // file; empty: none
};

struct RemoteCounts {
    int64_t sent = 0;         // queries in requests that were answered
    int64_t from_ledger = 0;  // answers that cost nothing
    int64_t requests = 0;     // HTTP requests with queries, all tries
    int64_t retries = 0;
    int64_t unknown = 0;  // queries sent again after a time-out or a lost process: maybe paid twice
    double waited_seconds = 0;  // for the rate limit and between tries
};

class RemoteModel {
  public:
    // Asks for the metadata of the model where the service has them; no query. Throws Error kUsage
    // (a url or option that is none), kRefused (the service refuses us, a token without TLS),
    // kNotFound (no such model), kIo (no answer).
    explicit RemoteModel(RemoteOptions options);
    ~RemoteModel();
    RemoteModel(const RemoteModel&) = delete;
    RemoteModel& operator=(const RemoteModel&) = delete;

    // x {n, ...} float32 -> {n, classes}: what the service says, or the ledger. Throws Error
    // kRefused (401, 403, rate limit for longer than allowed), kInvalid (an answer of another shape
    // or not finite, or an input that the service does not take), kIo (no answer after all tries).
    at::Tensor operator()(const at::Tensor& x);

    // {n} bool: sent by a process that died before the answer, so that asking again may pay again.
    at::Tensor lost(const at::Tensor& x) const;

    Answer answer_kind() const;  // known after the first answer
    // How many scores it tells of each input, the fewest so far; 0: all, or labels.
    int64_t largest() const;
    const std::vector<int64_t>& input_shape() const;  // without the batch; empty: not told
    const RemoteCounts& counts() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ward::attack
