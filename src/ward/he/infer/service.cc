#include "ward/he/infer/service.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/he/circuit_privacy.h"
#include "ward/he/infer/files.h"
#include "ward/he/infer/precision.h"
#include "ward/he/wire.h"

namespace ward::he {
namespace {

enum Tag : uint32_t { kPlan = 1, kKeyName, kKeysKnown, kKey, kNext, kRequest, kResult };
enum Next : uint8_t { kDone = 0, kMore = 1 };

constexpr size_t kMostPlanBytes = size_t{1} << 26;
constexpr size_t kMostObjectBytes = size_t{1} << 30;
constexpr size_t kNameCharacters = 64;

// A name for evaluation keys that only the holder of the secret key can know before it is told, and
// that says nothing about the key.
std::string key_name(const SecretKey& secret, const std::string& plan_digest) {
    Sha256 hash;
    const std::string prefix = "ward he evaluation keys\n" + plan_digest + "\n";
    hash.update(ByteView(reinterpret_cast<const uint8_t*>(prefix.data()), prefix.size()));
    hash.update(to_secret_bytes(secret).reveal());
    return hash.hex();
}

ByteView bytes_of(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

void send_byte(net::Channel& channel, Tag tag, uint8_t value) {
    channel.send(tag, ByteView(&value, 1));
}

uint8_t receive_byte(net::Channel& channel, Tag tag) {
    uint8_t value = 0;
    channel.receive(tag, {&value, 1});
    if (value > 1) throw Error(ErrorCode::kCorrupt, channel.peer() + " sent an unknown answer");
    return value;
}

}  // namespace

InferenceService::InferenceService(ClientPlan plan, Program program, ContextPtr context,
                                   const ServiceOptions& options)
    : plan_(std::move(plan)),
      program_(std::move(program)),
      context_(std::move(context)),
      options_(options) {
    if (!(context_->parameters() == plan_.parameters)) {
        throw Error(ErrorCode::kInvalid, "the context has other parameters than the plan");
    }
}

void InferenceService::serve(net::Channel& channel, Random& random,
                             const std::function<void(const Answer&)>& answered) {
    try {
        channel.send(kPlan, to_bytes(plan_));
        const KeysPtr held = keys_of(channel);
        while (receive_byte(channel, kNext) == kMore) {
            const Answer done = answer(channel, held->keys, random);
            if (answered) answered(done);
        }
    } catch (const Error& error) {
        channel.send_failure(error.what());  // about what the client has sent, and the plan
        throw;
    } catch (const std::exception&) {
        channel.send_failure("the server has failed");
        throw;
    }
}

// Nothing unless they are those of this name. Others of the peer are given up: both at once may not
// fit into memory.
InferenceService::KeysPtr InferenceService::held_for(const std::string& peer,
                                                     const std::string& name) {
    const std::lock_guard lock(holding_);
    const auto found = held_.find(peer);
    if (found == held_.end()) return nullptr;
    if (found->second->name == name) return found->second;
    held_.erase(found);
    return nullptr;
}

InferenceService::KeysPtr InferenceService::keys_of(net::Channel& channel) {
    std::string name(kNameCharacters, '\0');
    channel.receive(kKeyName, {reinterpret_cast<uint8_t*>(name.data()), name.size()});
    KeysPtr keys = held_for(channel.peer(), name);
    send_byte(channel, kKeysKnown, keys ? 1 : 0);
    if (keys) return keys;
    keys = std::make_shared<const HeldKeys>(HeldKeys{name, receive_keys(channel)});
    const std::lock_guard lock(holding_);
    return held_[channel.peer()] = keys;
}

EvaluationKeys InferenceService::receive_keys(net::Channel& channel) const {
    const auto next = [&] { return channel.receive_any(kKey, kMostObjectBytes); };
    RelinKey relin = relin_key_from_bytes(context_, next());
    PublicKey key = public_key_from_bytes(context_, next());
    EvaluationKeys keys{std::move(relin), GaloisKeys(context_), std::move(key)};
    for (size_t i = 0; i < plan_.rotations.size(); ++i) {
        const GaloisKeys one = galois_keys_from_bytes(context_, next());
        if (one.size() != 1) {
            throw Error(ErrorCode::kCorrupt, "expected one rotation key in a message, got " +
                                                 std::to_string(one.size()));
        }
        for (const auto& [element, body] : one.all()) keys.galois.insert(element, body);
    }
    return keys;
}

InferenceService::Answer InferenceService::answer(net::Channel& channel, const EvaluationKeys& keys,
                                                  Random& random) {
    const Bytes request = channel.receive_any(kRequest, kMostObjectBytes);
    std::unique_lock evaluating(evaluating_);
    CiphertextList list = ciphertext_list_from_bytes(context_, digest(plan_), request);
    const auto start = std::chrono::steady_clock::now();
    list.ciphertexts = program_.run(list.ciphertexts, keys);
    if (options_.circuit_privacy) {
        for (Ciphertext& c : list.ciphertexts) {
            c = hide_computation(keys.public_key, c, random, *options_.circuit_privacy);
            if (options_.output_spread > 0) require_readable(c, options_.output_spread);
        }
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const Bytes result = to_bytes(list);
    evaluating.unlock();
    channel.send(kResult, result);
    return {list.examples, seconds.count()};
}

ClientPlan receive_plan(net::Channel& channel) {
    return client_plan_from_bytes(channel.receive_any(kPlan, kMostPlanBytes));
}

RemoteProgram::RemoteProgram(net::Channel& channel, const InferenceClient& client, Random& random)
    : channel_(channel), client_(client), digest_(digest(client.plan())) {
    channel_.send(kKeyName, bytes_of(key_name(client.secret(), digest_)));
    keys_were_known_ = receive_byte(channel_, kKeysKnown) == 1;
    if (keys_were_known_) return;
    const auto send = [&](const Bytes& object) { channel_.send(kKey, object); };
    send(to_bytes(RelinKey::generate(client.secret(), random)));
    send(to_bytes(PublicKey::generate(client.secret(), random)));
    for (const auto& [step, level] : client.plan().rotations) {  // one at a time: they are large
        send(to_bytes(
            GaloisKeys::generate(client.secret(), std::vector<int>{step}, false, random, level)));
    }
}

std::vector<double> RemoteProgram::run(std::span<const double> examples, Random& random) {
    const auto count = static_cast<int64_t>(examples.size()) / client_.plan().inputs;
    const Bytes request =
        to_bytes(CiphertextList{digest_, count, client_.encrypt(examples, random)});
    send_byte(channel_, kNext, kMore);
    channel_.send(kRequest, request);
    const Bytes result = channel_.receive_any(kResult, kMostObjectBytes);
    const auto list = ciphertext_list_from_bytes(client_.context(), digest_, result);
    return client_.decrypt(list.ciphertexts, count);
}

void RemoteProgram::close() {
    send_byte(channel_, kNext, kDone);
    channel_.finish_sends();
}

}  // namespace ward::he
