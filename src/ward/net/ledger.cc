#include "ward/net/ledger.h"

namespace ward::net {

Traffic& Traffic::operator+=(const Traffic& other) {
    bytes_sent += other.bytes_sent;
    bytes_received += other.bytes_received;
    messages_sent += other.messages_sent;
    rounds += other.rounds;
    return *this;
}

Traffic Traffic::operator-(const Traffic& other) const {
    return {bytes_sent - other.bytes_sent, bytes_received - other.bytes_received,
            messages_sent - other.messages_sent, rounds - other.rounds};
}

TrafficLedger::Scope::Scope(TrafficLedger& ledger, std::string_view name)
    : ledger_(ledger), previous_size_(ledger.path_.size()) {
    if (!ledger_.path_.empty()) ledger_.path_ += '/';
    ledger_.path_ += name;
}

TrafficLedger::Scope::~Scope() { ledger_.path_.resize(previous_size_); }

Traffic& TrafficLedger::current() {
    const auto found = entries_.find(step());
    return found != entries_.end() ? found->second : entries_[std::string(step())];
}

void TrafficLedger::add_sent(uint64_t bytes) {
    Traffic& entry = current();
    entry.bytes_sent += bytes;
    ++entry.messages_sent;
}

void TrafficLedger::add_received(uint64_t bytes) { current().bytes_received += bytes; }

void TrafficLedger::add_round() { ++current().rounds; }

std::string_view TrafficLedger::step() const {
    return path_.empty() ? kNoStep : std::string_view(path_);
}

Traffic TrafficLedger::total() const {
    Traffic sum;
    for (const auto& [name, entry] : entries_) sum += entry;
    return sum;
}

Traffic TrafficLedger::total(std::string_view name) const {
    Traffic sum;
    for (const auto& [path, entry] : entries_) {
        const bool under =
            path.size() > name.size() && path.starts_with(name) && path[name.size()] == '/';
        if (path == name || under) sum += entry;
    }
    return sum;
}

}  // namespace ward::net
