#include "ward/mpc/party.h"

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/crypto/kdf.h"
#include "ward/mpc/internal/verify.h"

namespace ward::mpc {
namespace {

constexpr size_t kDigestBytes = 64;  // SHA-256 in hexadecimal

std::string agreement_digest(const PartyOptions& options) {
    std::string text(kProtocol);
    text += options.truncation == Truncation::kExact ? "|exact|" : "|fast|";
    text += options.security == Security::kMalicious ? "malicious|" : "semi-honest|";
    return sha256_hex(text + options.job);
}

}  // namespace

Party::Party(int index, std::unique_ptr<net::Channel> previous, std::unique_ptr<net::Channel> next,
             const PartyOptions& options)
    : index_(index),
      options_(options),
      ledger_(std::make_unique<net::TrafficLedger>()),
      previous_(std::move(previous)),
      next_(std::move(next)),
      random_(Random::from_system()) {
    if (index < 0 || index > 2) {
        throw Error(ErrorCode::kUsage,
                    "the index of a party must be 0, 1 or 2, got " + std::to_string(index));
    }
    if (options.security == Security::kMalicious) {
        if (options.truncation == Truncation::kFast) {
            throw Error(ErrorCode::kUsage,
                        "the fast truncation has no form that is secure against deviations",
                        "take the exact truncation");
        }
        verifier_ = std::make_unique<internal::Verifier>();
    }
    previous_->set_ledger(ledger_.get());
    next_->set_ledger(ledger_.get());
    const net::TrafficLedger::Scope scope(*ledger_, "setup");
    agree();
    exchange_keys();
}

Party::~Party() = default;

net::Channel& Party::channel_to(int party) {
    if (party == (index_ + 1) % 3) return *next_;
    if (party == (index_ + 2) % 3) return *previous_;
    throw Error(ErrorCode::kInternal, "a party has no channel to itself");
}

void Party::agree() {
    const std::string own = agreement_digest(options_);
    const Bytes mine(own.begin(), own.end());
    Bytes theirs[2] = {Bytes(kDigestBytes), Bytes(kDigestBytes)};
    Round round(*this);
    for (int step : {1, 2}) round.send((index_ + step) % 3, mine);
    for (int step : {1, 2}) round.receive((index_ + step) % 3, theirs[step - 1]);
    round.finish();
    for (int step : {1, 2}) {
        if (theirs[step - 1] == mine) continue;
        throw Error(
            ErrorCode::kRefused,
            "\"" + channel_to((index_ + step) % 3).peer() +
                "\" has another job, protocol version, security or truncation than this party",
            "give all parties the same job and the same version of ward");
    }
}

void Party::exchange_keys() {
    SecretBytes own(KeyStream::kKeyBytes);
    random_.fill(own.reveal_mutable());
    SecretBytes theirs(KeyStream::kKeyBytes);
    Round round(*this);
    round.send((index_ + 2) % 3, own.reveal());
    round.receive((index_ + 1) % 3, theirs.reveal_mutable());
    round.finish();
    own_stream_ = std::make_unique<KeyStream>(own.clone());
    next_stream_ = std::make_unique<KeyStream>(theirs.clone());
    keys_ = {std::move(own), std::move(theirs)};
}

Party::Keys Party::keys() const { return {keys_.own.clone(), keys_.next.clone()}; }

void Party::restore_keys(Keys keys) {
    require_semi_honest("going on with the keys of an earlier run");
    keys_ = std::move(keys);
}

void Party::begin_step(uint64_t step) {
    const std::string info = "ward mpc step " + std::to_string(step);
    const auto stream = [&](const SecretBytes& key) {
        return std::make_unique<KeyStream>(
            crypto::hkdf(crypto::Hash::kSha256, key.reveal(), {}, info, KeyStream::kKeyBytes));
    };
    own_stream_ = stream(keys_.own);
    next_stream_ = stream(keys_.next);
    operations_ = step;
}

void Party::draw(int share, std::span<Ring> out) {
    if (!holds(share)) throw Error(ErrorCode::kInternal, "this party does not hold that key");
    (share == index_ ? *own_stream_ : *next_stream_).fill(out);
}

RingVector Party::draw(int share, size_t count) {
    RingVector out(count);
    draw(share, std::span<Ring>(out));
    return out;
}

void Party::verify() {
    if (verifier_) verifier_->check(*this);
}

void Party::require_semi_honest(std::string_view what) const {
    if (options_.security == Security::kSemiHonest) return;
    throw Error(ErrorCode::kUnsupported,
                std::string(what) + " is not secure against parties that deviate",
                "run it with semi-honest security; docs/mpc.md lists what is covered");
}

void Party::synchronize() {
    const net::TrafficLedger::Scope scope(*ledger_, "synchronize");
    const Bytes token(1);
    Bytes theirs(1);
    Round round(*this);
    for (int step : {1, 2}) round.send((index_ + step) % 3, token);
    for (int step : {1, 2}) round.receive((index_ + step) % 3, theirs);
    round.finish();
}

void Party::fail(const std::string& reason) noexcept {
    previous_->send_failure(reason);
    next_->send_failure(reason);
}

void Party::Round::send(int to, std::span<const uint8_t> data) {
    party_.channel_to(to).begin_send(party_.round_number_, data);
}

void Party::Round::receive(int from, std::span<uint8_t> out) {
    party_.channel_to(from).receive(party_.round_number_, out);
}

void Party::Round::finish() {
    party_.previous_->finish_sends();
    party_.next_->finish_sends();
    party_.ledger_->add_round();
}

}  // namespace ward::mpc
