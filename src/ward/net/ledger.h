// What a party has sent, in bytes, messages and rounds, per named operation.
//
//   TrafficLedger ledger;
//   {
//       const TrafficLedger::Scope scope(ledger, "relu");
//       ...                               // channels count into the innermost name
//   }
//   ledger.total("relu").bytes_sent
//
// Names nest: inside "train" the operation "relu" is booked as "train/relu", and `total` of a name
// covers everything under it. A round is one step in which this party waits for others; what it
// receives from several peers in one step is one round. Thread safety: none; one ledger belongs to
// the thread that runs the protocol.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace ward::net {

struct Traffic {
    uint64_t bytes_sent = 0;  // frames with their headers, before encryption
    uint64_t bytes_received = 0;
    uint64_t messages_sent = 0;
    uint64_t rounds = 0;

    bool operator==(const Traffic&) const = default;
    Traffic& operator+=(const Traffic& other);
    Traffic operator-(const Traffic& other) const;
};

class TrafficLedger {
  public:
    class Scope {
      public:
        Scope(TrafficLedger& ledger, std::string_view name);
        ~Scope();
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

      private:
        TrafficLedger& ledger_;
        size_t previous_size_;
    };

    void add_sent(uint64_t bytes);
    void add_received(uint64_t bytes);
    void add_round();

    static constexpr std::string_view kNoStep = "(none)";
    // The innermost open name, such as "train/relu"; kNoStep outside of all.
    std::string_view step() const;
    Traffic total() const;
    // Of all entries whose path is `name` or begins with `name/`.
    Traffic total(std::string_view name) const;
    const std::map<std::string, Traffic, std::less<>>& entries() const { return entries_; }

  private:
    Traffic& current();

    std::string path_;
    std::map<std::string, Traffic, std::less<>> entries_;
};

}  // namespace ward::net
