#include "ward/mpc/learn/party_file.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <set>

#include "ward/core/error.h"
#include "ward/core/file.h"

namespace ward::mpc {
namespace {

constexpr size_t kMaxPartyBytes = 1 << 20;
constexpr size_t kMaxShares = 16;

class PartyReader {
  public:
    explicit PartyReader(std::string name) : name_(std::move(name)) {}

    PartyFile read(const YAML::Node& root) {
        if (!root.IsMap()) fail(root, "a party file must be a list of `key: value` lines");
        for (const auto& item : root) {
            const std::string key = text(item.first, "a key");
            if (!seen_.insert(key).second) fail(item.first, key + " stands twice");
            read_key(key, item.first, item.second);
        }
        for (const char* key :
             {"ward_mpc_party", "index", "identity", "listen", "next", "previous"}) {
            if (!seen_.contains(key)) fail(root, std::string(key) + " is missing");
        }
        if (party_.checkpoint.empty() != party_.checkpoint_key.empty()) {
            fail(root, "checkpoint and checkpoint_key go together");
        }
        // Two parties under one identity would be one party with two votes.
        if (party_.next.name == party_.previous.name || party_.next.pin == party_.previous.pin) {
            fail(root, "next and previous must be two parties with names and pins of their own");
        }
        if (party_.shares.empty() != party_.shares_key.empty()) {
            fail(root, "shares and shares_key go together");
        }
        return party_;
    }

  private:
    [[noreturn]] void fail(const YAML::Node& at, const std::string& what) const {
        throw Error(ErrorCode::kInvalid,
                    name_ + " line " + std::to_string(at.Mark().line + 1) + ": " + what,
                    "see docs/mpc.md for the keys of a party");
    }

    std::string text(const YAML::Node& node, const std::string& what) const {
        if (!node.IsScalar() || node.Scalar().empty()) fail(node, what + " must be a single value");
        return node.Scalar();
    }

    uint64_t number(const YAML::Node& node, const std::string& what, uint64_t low,
                    uint64_t high) const {
        const std::string digits = text(node, what);
        uint64_t value = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc() || end != digits.data() + digits.size() || value < low ||
            value > high) {
            fail(node, what + " must be a whole number from " + std::to_string(low) + " to " +
                           std::to_string(high));
        }
        return value;
    }

    // host:port; brackets around an IPv6 address.
    net::Endpoint endpoint(const YAML::Node& node, const std::string& what) const {
        const std::string whole = text(node, what);
        const size_t colon = whole.rfind(':');
        uint16_t port = 0;
        const char* end = whole.data() + whole.size();
        if (colon == std::string::npos || colon == 0 ||
            std::from_chars(whole.data() + colon + 1, end, port).ptr != end || port == 0) {
            fail(node, what + " must be HOST:PORT, got " + whole);
        }
        std::string host = whole.substr(0, colon);
        if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
            host = host.substr(1, host.size() - 2);
        }
        return {host, port};
    }

    void read_peer(const YAML::Node& node, const std::string& what, bool with_address) {
        if (!node.IsMap()) fail(node, what + " must have name and pin below it");
        PartyFile::Peer& peer = with_address ? party_.next : party_.previous;
        for (const auto& item : node) {
            const std::string key = text(item.first, "a key");
            if (key == "name") {
                peer.name = text(item.second, key);
            } else if (key == "pin") {
                peer.pin = text(item.second, key);
            } else if (key == "address" && with_address) {
                party_.next_address = endpoint(item.second, key);
            } else {
                fail(item.first, "there is no key " + key + " in " + what);
            }
        }
        if (peer.name.empty()) fail(node, what + " has no name");
        if (peer.pin.empty()) fail(node, what + " has no pin");
        if (with_address && party_.next_address.port == 0) fail(node, what + " has no address");
    }

    void read_key(const std::string& key, const YAML::Node& at, const YAML::Node& value) {
        if (key == "ward_mpc_party") {
            number(value, key, 1, 1);
        } else if (key == "index") {
            party_.index = static_cast<int>(number(value, key, 0, 2));
        } else if (key == "identity") {
            party_.identity = text(value, key);
        } else if (key == "keys") {
            party_.keys = text(value, key);
        } else if (key == "listen") {
            party_.listen = endpoint(value, key);
        } else if (key == "next" || key == "previous") {
            read_peer(value, key, key == "next");
        } else if (key == "data") {
            party_.data = text(value, key);
        } else if (key == "shares") {
            if (!value.IsSequence() || value.size() == 0 || value.size() > kMaxShares) {
                fail(value, "shares must be a list of 1 to 16 files");
            }
            for (const YAML::Node& file : value) party_.shares.push_back(text(file, "a file"));
        } else if (key == "shares_key") {
            party_.shares_key = text(value, key);
        } else if (key == "checkpoint") {
            party_.checkpoint = text(value, key);
        } else if (key == "checkpoint_key") {
            party_.checkpoint_key = text(value, key);
        } else if (key == "checkpoint_steps") {
            party_.checkpoint_steps = number(value, key, 1, 1'000'000);
        } else if (key == "connect_seconds") {
            party_.connect_seconds = number(value, key, 1, 86'400);
        } else if (key == "silence_seconds") {
            party_.silence_seconds = number(value, key, 1, 86'400);
        } else {
            fail(at, "there is no key " + key);
        }
    }

    std::string name_;
    PartyFile party_;
    std::set<std::string> seen_;
};

}  // namespace

PartyFile parse_party(std::string_view text, const std::string& name) {
    if (text.size() > kMaxPartyBytes) {
        throw Error(ErrorCode::kInvalid, name + " has more than 1 MiB, which is no party file");
    }
    try {
        return PartyReader(name).read(YAML::Load(std::string(text)));
    } catch (const YAML::Exception& error) {
        throw Error(ErrorCode::kInvalid, name + " line " + std::to_string(error.mark.line + 1) +
                                             ": not YAML: " + error.msg);
    }
}

PartyFile read_party(const std::string& path) {
    const Bytes bytes = read_file(path, kMaxPartyBytes);
    return parse_party({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace ward::mpc
