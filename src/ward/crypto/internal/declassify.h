// What the constant-time check (scripts/check_constant_time.sh) takes for public although it was
// computed from secrets: outcomes that the caller learns anyway, such as whether a text is well
// formed or a tag matches. Does nothing in other builds.
#pragma once

#ifdef WARD_CONSTANT_TIME_CHECK
#include <valgrind/memcheck.h>
#endif

namespace ward::crypto::internal {

template <typename T>
T declassify(T value) {
#ifdef WARD_CONSTANT_TIME_CHECK
    (void)VALGRIND_MAKE_MEM_DEFINED(&value, sizeof(value));
#endif
    return value;
}

}  // namespace ward::crypto::internal
