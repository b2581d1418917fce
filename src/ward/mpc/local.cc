#include "ward/mpc/local.h"

#include <array>
#include <exception>
#include <thread>

#include "ward/core/error.h"

namespace ward::mpc {
namespace {

using ChannelPair = std::pair<std::unique_ptr<net::Channel>, std::unique_ptr<net::Channel>>;

std::string name_of(int index) { return "party " + std::to_string(index); }

void run_party(int index, std::unique_ptr<net::Channel> previous,
               std::unique_ptr<net::Channel> next, const std::function<void(Party&)>& program,
               const PartyOptions& options, std::exception_ptr& error) {
    net::Channel* links[] = {previous.get(), next.get()};
    std::unique_ptr<Party> party;
    try {
        party = std::make_unique<Party>(index, std::move(previous), std::move(next), options);
        program(*party);
    } catch (const std::exception& failure) {
        error = std::current_exception();
        if (party) {
            party->fail(failure.what());
            for (net::Channel* link : links) link->abort();
        }
    }
}

// Errors that a party has because another one stopped.
bool is_consequence(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const Error& known) {
        return known.code() == ErrorCode::kInterrupted || known.code() == ErrorCode::kIo ||
               known.code() == ErrorCode::kCorrupt;
    } catch (...) {
        return false;
    }
}

}  // namespace

void run_local(const std::function<void(Party&)>& program, const PartyOptions& options,
               const net::PipeOptions& pipe) {
    std::array<std::unique_ptr<net::Channel>, 3> to_next, to_previous;
    for (int i = 0; i < 3; ++i) {
        const int next = (i + 1) % 3;
        ChannelPair both = net::local_channels(name_of(i), name_of(next), pipe);
        to_next[static_cast<size_t>(i)] = std::move(both.first);
        to_previous[static_cast<size_t>(next)] = std::move(both.second);
    }
    std::array<std::exception_ptr, 3> errors;
    std::array<std::thread, 3> threads;
    for (size_t i = 0; i < 3; ++i) {
        threads[i] = std::thread([&, i] {
            run_party(static_cast<int>(i), std::move(to_previous[i]), std::move(to_next[i]),
                      program, options, errors[i]);
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& error : errors) {
        if (error && !is_consequence(error)) std::rethrow_exception(error);
    }
    for (const auto& error : errors) {
        if (error) std::rethrow_exception(error);
    }
}

}  // namespace ward::mpc
