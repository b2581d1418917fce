// One of the three parties that compute together: its links to the other two, the randomness it
// shares with each of them, and the count of what it has sent.
//
//   Party party(index, std::move(to_previous), std::move(to_next), {.job = "digest of the job"});
//   SharedMatrix x = share(party, 0, &values, rows, cols);   // owner 0 knows the values
//   SharedMatrix y = multiply(party, x, x);                   // multiply.h
//   RingMatrix z = open(party, y);
//
// All three parties must call the same functions in the same order with the same public arguments;
// tags and lengths of messages are checked, so a party that strays is noticed.
//
// Common randomness: key i is known to parties i and i-1, the two that hold part i of every value.
// It is made by party i and sent to party i-1 once, over the channel. Every party then checks that
// both others run the same protocol version and the same job.
//
// Security: at most one party corrupt, no two collude. kSemiHonest: the corrupt one follows the
// protocol and looks at what it sees. kMalicious: it may send anything; before any value is opened,
// all messages since the last time are verified (internal/verify.h), and a deviation ends the
// job with Error kCorrupt and without output, but for a probability below 2^-41. Functions that
// have no verified form refuse to run (`require_semi_honest`). The channels must be authenticated
// and encrypted (net/connect.h); who sees all links sees every value.
//
// Thread safety: none; a party belongs to one thread. Errors: those of net/channel.h.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "ward/core/key_stream.h"
#include "ward/core/random.h"
#include "ward/mpc/shared.h"
#include "ward/net/channel.h"
#include "ward/net/ledger.h"

namespace ward::mpc {

// What the truncation after a product promises; see truncate.h.
enum class Truncation {
    kExact,  // never off by more than the rounding, simulatable; one round more
    kFast,   // wrong by 2^(64-f) with probability |x| / 2^63 per value
};

enum class Security { kSemiHonest, kMalicious };

namespace internal {
class Verifier;
}

// Of the messages that parties send; changes with them.
inline constexpr std::string_view kProtocol = "ward mpc, replicated over Z_2^64, version 3";

struct PartyOptions {
    std::string job;  // a digest of what is to be computed; must be equal at all parties
    Truncation truncation = Truncation::kExact;
    Security security = Security::kSemiHonest;
};

class Party {
  public:
    // Sets the common keys up: 2 rounds. `index` is 0, 1 or 2; `previous` leads to party index-1
    // and `next` to party index+1 (mod 3). Throws Error kRefused when the parties disagree on
    // version, job, truncation or security, kUsage for kFast truncation with kMalicious.
    Party(int index, std::unique_ptr<net::Channel> previous, std::unique_ptr<net::Channel> next,
          const PartyOptions& options = {});
    ~Party();
    Party(const Party&) = delete;
    Party& operator=(const Party&) = delete;

    int index() const { return index_; }
    Truncation truncation() const { return options_.truncation; }
    Security security() const { return options_.security; }
    net::TrafficLedger& ledger() { return *ledger_; }
    Random& random() { return random_; }

    // Waits until the other two are here as well; for the end of a job.
    void synchronize();
    // Tells the others that this party stops, and why.
    void fail(const std::string& reason) noexcept;

    // With kMalicious: verifies all that has been computed since the last time. `open` does it
    // itself; call it in between to bound the memory for what is pending. Throws Error kCorrupt
    // when a party has deviated.
    void verify();

    // The two common keys of this party, from which the streams of every step follow
    // (`begin_step`). With them a job that was cut off repeats the step it was in with the same
    // randomness, so that all messages are those of the first time and the result is the same.
    // Whoever restores keys must run the same job on the same data; anything else would use a mask
    // twice.
    struct Keys {
        SecretBytes own, next;
    };
    Keys keys() const;
    // Throws Error kUnsupported with kMalicious, where a party could make the others send other
    // messages under the same masks.
    void restore_keys(Keys keys);
    // From here on draws depend on the keys and this number alone.
    void begin_step(uint64_t step);
    static constexpr uint64_t kBeforeSteps = ~uint64_t{0};  // the number of what precedes step 0

    // ---- for protocols

    // Throws Error kUnsupported with kMalicious; `what` has no verified form.
    void require_semi_honest(std::string_view what) const;
    // nullptr unless kMalicious.
    internal::Verifier* verifier() { return verifier_.get(); }
    bool holds(int share) const { return share == index_ || share == (index_ + 1) % 3; }
    // Uniform values that both holders of part `share` draw alike.
    void draw(int share, std::span<Ring> out);
    RingVector draw(int share, size_t count);
    // The party that plays the singular role in the next operation; goes around so that the load
    // is even.
    int next_pivot() { return static_cast<int>(operations_++ % 3); }

    // One step of communication: all sends, then all receives, counted as one round by all three
    // parties, including one that only sends.
    class Round {
      public:
        explicit Round(Party& party) : party_(party) { ++party_.round_number_; }
        // `data` must stay until `finish`.
        void send(int to, std::span<const uint8_t> data);
        void receive(int from, std::span<uint8_t> out);
        template <typename T, typename A>
        void send(int to, const std::vector<T, A>& data) {
            send(to, {reinterpret_cast<const uint8_t*>(data.data()), data.size() * sizeof(T)});
        }
        template <typename T, typename A>
        void receive(int from, std::vector<T, A>& out) {
            receive(from, {reinterpret_cast<uint8_t*>(out.data()), out.size() * sizeof(T)});
        }
        void finish();

      private:
        Party& party_;
    };

  private:
    net::Channel& channel_to(int party);
    void exchange_keys();
    void agree();

    int index_;
    PartyOptions options_;
    std::unique_ptr<net::TrafficLedger> ledger_;
    std::unique_ptr<net::Channel> previous_;
    std::unique_ptr<net::Channel> next_;
    Random random_;
    std::unique_ptr<internal::Verifier> verifier_;
    Keys keys_;
    std::unique_ptr<KeyStream> own_stream_;   // key `index`
    std::unique_ptr<KeyStream> next_stream_;  // key `index` + 1
    uint32_t round_number_ = 0;
    uint64_t operations_ = 0;
};

}  // namespace ward::mpc
