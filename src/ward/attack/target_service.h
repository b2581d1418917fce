// A model behind HTTP, to try attacks on: the Open Inference Protocol v2 in JSON, one model, this
// machine. For rehearsals and tests; not a server for production (no TLS, no limits but sizes).
//
// Thread safety: one thread owns it; requests are answered one after the other.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ward/attack/extraction.h"

namespace ward::attack {

struct ServiceOptions {
    std::string host = "127.0.0.1";
    int port = 0;  // 0: any free one
    std::string model = "model";
    std::vector<int64_t> input_shape;  // without the batch
    Answer answer = Answer::kScores;
    int64_t top_k = 3;
    std::string token;  // wanted of clients; empty: none

    // Instead of an answer: called with the number of the request, from 0 on. For tests.
    struct Instead {
        int status = 200;
        std::vector<std::pair<std::string, std::string>> headers;
        std::string body;
        double delay_seconds = 0;
        bool answer_after_all = false;  // delay only
    };
    std::function<std::optional<Instead>(int64_t request)> instead;

    // The digest of each query that is answered, as it is answered.
    std::function<void(const std::string& digest)> on_query;
};

class TargetService {
  public:
    using Function = std::function<at::Tensor(const at::Tensor&)>;

    // Serves from a thread of its own. Throws Error kIo where the port cannot be had, kUnsupported
    // in builds without HTTP.
    TargetService(Function model, ServiceOptions options);
    ~TargetService();
    TargetService(const TargetService&) = delete;
    TargetService& operator=(const TargetService&) = delete;

    int port() const;
    std::string url() const;
    int64_t queries() const;  // answered
    void wait();              // until it is stopped
    void stop();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ward::attack
