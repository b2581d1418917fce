#include "ward/mpc/internal/roles.h"

namespace ward::mpc::internal {

template <typename Group>
RingVector deal(Party& party, const Roles& roles, const RingVector& value, size_t count) {
    RingVector out;
    Party::Round round(party);
    RingVector message;
    if (roles.role == 0) {
        out = party.draw(roles.one, count);
        message.resize(count);
        for (size_t i = 0; i < count; ++i) message[i] = Group::remove(value[i], out[i]);
        round.send(roles.two, message);
    } else if (roles.role == 1) {
        out = party.draw(roles.one, count);
    } else {
        out.resize(count);
        round.receive(roles.pivot, out);
    }
    round.finish();
    return out;
}

template <typename Group>
void join(Party& party, const Roles& roles, const RingVector& part, size_t count, RingVector& first,
          RingVector& second) {
    Party::Round round(party);
    if (roles.role == 0) {
        first = party.draw(roles.pivot, count);
        second = party.draw(roles.one, count);
        round.finish();
        return;
    }
    const bool is_one = roles.role == 1;
    RingVector mask = party.draw(is_one ? roles.one : roles.pivot, count);
    RingVector own(count), sum(count);
    for (size_t i = 0; i < count; ++i) own[i] = Group::remove(part[i], mask[i]);
    round.send(is_one ? roles.two : roles.one, own);
    round.receive(is_one ? roles.two : roles.one, sum);
    for (size_t i = 0; i < count; ++i) sum[i] = Group::combine(sum[i], own[i]);
    round.finish();
    first = is_one ? std::move(mask) : sum;
    second = is_one ? std::move(sum) : std::move(mask);
}

template RingVector deal<Add>(Party&, const Roles&, const RingVector&, size_t);
template RingVector deal<Xor>(Party&, const Roles&, const RingVector&, size_t);
template void join<Add>(Party&, const Roles&, const RingVector&, size_t, RingVector&, RingVector&);
template void join<Xor>(Party&, const Roles&, const RingVector&, size_t, RingVector&, RingVector&);

}  // namespace ward::mpc::internal
