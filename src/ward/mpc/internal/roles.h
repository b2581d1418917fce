// The pattern behind truncation, comparison and conversion, with one party (the pivot p) in a
// singular role:
//
//   x = a + b with a = x_p + x_(p+1) known to the pivot, and b = x_(p+2) known to both others.
//
// A function that is linear in something the pivot knows, with coefficients that the other two
// know, costs two steps: the pivot deals additive parts of its value to the two (`deal`), each
// computes its part of the function, and both parts become a replicated sharing (`join`).
//
// Role 0 is the pivot, role 1 party p+1, role 2 party p+2. Parts p+1 are common to roles 0 and 1,
// parts p+2 to roles 1 and 2, parts p to roles 2 and 0.
//
// What is seen: role 1 of a deal draws its part from a common key and receives nothing; role 2
// receives the value minus (or xor) that uniform part; in a join roles 1 and 2 receive each other's
// part masked by a key that only the sender and the pivot hold. All is uniform and simulated by
// drawing it.
#pragma once

#include <span>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

struct Roles {
    Roles(const Party& party, int pivot_)
        : pivot(pivot_),
          one((pivot_ + 1) % 3),
          two((pivot_ + 2) % 3),
          role((party.index() - pivot_ + 3) % 3) {}

    int pivot;
    int one;
    int two;
    int role;
};

// The known summand of each element: a for role 0, b for roles 1 and 2.
inline RingVector known_part(const Roles& roles, const RingVector& first,
                             const RingVector& second) {
    if (roles.role == 1) return second;
    if (roles.role == 2) return first;
    RingVector a(first.size());
    for (size_t i = 0; i < a.size(); ++i) a[i] = first[i] + second[i];
    return a;
}

struct Add {
    static Ring combine(Ring a, Ring b) { return a + b; }
    static Ring remove(Ring a, Ring b) { return a - b; }
};
struct Xor {
    static Ring combine(Ring a, Ring b) { return a ^ b; }
    static Ring remove(Ring a, Ring b) { return a ^ b; }
};

// 1 round; `value` matters at the pivot only. Role 1 and role 2 return their parts, the pivot the
// part of role 1 (so it can tell both).
template <typename Group>
RingVector deal(Party& party, const Roles& roles, const RingVector& value, size_t count);

// 1 round; roles 1 and 2 give their parts of a value; results are first and second of its
// replicated sharing, whose parts p and p+1 are uniform.
template <typename Group>
void join(Party& party, const Roles& roles, const RingVector& part, size_t count, RingVector& first,
          RingVector& second);

}  // namespace ward::mpc::internal
