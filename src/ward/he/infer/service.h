// Encrypted inference between two programs over a channel (net/): the server has the model, the
// client has the data and the only secret key.
//
//   InferenceService service(plan, std::move(program), context);       // server
//   service.serve(channel, random);
//
//   ClientPlan plan = receive_plan(channel);                           // client
//   InferenceClient client(plan, random);
//   RemoteProgram remote(channel, client, random);   // sends the evaluation keys, once for a
//   server std::vector<double> outputs = remote.run(examples, random); remote.close();
//
// The protocol is in docs/formats/he_service.md. Threat: as client.h; the channel says who the peer
// is and keeps others out. Bytes from the peer are parsed as strictly as files are. A client sees
// how long the server takes, which follows from the plan and from what it computes for others.
// Thread safety: an InferenceService serves clients in as many threads as there are, and evaluates
// one request after the other, with all cores and the memory of one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ward/core/random.h"
#include "ward/he/infer/client.h"
#include "ward/he/infer/program.h"
#include "ward/net/channel.h"

namespace ward::he {

inline constexpr const char* kServiceProtocol = "ward-he/1";  // ALPN

struct ServiceOptions {
    // Hides from clients what the noise of results would tell of the weights (circuit_privacy.h).
    std::optional<FloodingOptions> circuit_privacy;
    double output_spread = 0;  // results that its noise would drown are refused (precision.h)
};

class InferenceService {
  public:
    // Throws Error kInvalid when the plan's parameters are not the context's.
    InferenceService(ClientPlan plan, Program program, ContextPtr context,
                     const ServiceOptions& options = {});

    struct Answer {
        int64_t examples = 0;
        double seconds = 0;  // of evaluation
    };
    // Answers one client until it says that it is done. Keeps the evaluation keys of each peer's
    // latest secret key, in memory. Throws as the channel does, and for requests that do not fit;
    // the client is told why.
    void serve(net::Channel& channel, Random& random,
               const std::function<void(const Answer&)>& answered = nullptr);

  private:
    struct HeldKeys {
        std::string name;
        EvaluationKeys keys;
    };

    using KeysPtr = std::shared_ptr<const HeldKeys>;

    KeysPtr held_for(const std::string& peer, const std::string& name);
    KeysPtr keys_of(net::Channel& channel);
    EvaluationKeys receive_keys(net::Channel& channel) const;
    Answer answer(net::Channel& channel, const EvaluationKeys& keys, Random& random);

    ClientPlan plan_;
    Program program_;
    ContextPtr context_;
    ServiceOptions options_;
    std::mutex holding_, evaluating_;
    std::map<std::string, KeysPtr> held_;  // by peer
};

// The plan that the server offers. Throws Error kCorrupt for what is none. It is the server's word:
// a client that knows what to expect compares digests (files.h).
ClientPlan receive_plan(net::Channel& channel);

class RemoteProgram {
  public:
    // Makes and sends evaluation keys unless the server has those of this secret key already.
    RemoteProgram(net::Channel& channel, const InferenceClient& client, Random& random);

    // Up to plan().examples examples, one after the other; their outputs likewise.
    std::vector<double> run(std::span<const double> examples, Random& random);
    // Tells the server that no more come.
    void close();

    bool keys_were_known() const { return keys_were_known_; }

  private:
    net::Channel& channel_;
    const InferenceClient& client_;
    std::string digest_;
    bool keys_were_known_ = false;
};

}  // namespace ward::he
