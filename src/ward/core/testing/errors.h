// The errors of an action, for tests that check code and text.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "ward/core/error.h"

namespace ward::testonly {

// "message | hint" of the Error that the action throws; a failure of the test unless it throws one
// with this code.
template <typename Action>
std::string error_of(Action&& action, ErrorCode code = ErrorCode::kInvalid) {
    try {
        std::forward<Action>(action)();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.message();
        return error.message() + " | " + error.hint();
    }
    ADD_FAILURE() << "expected an error";
    return {};
}

// The message alone.
template <typename Action>
std::string message_of(Action&& action, ErrorCode code = ErrorCode::kInvalid) {
    const std::string text = testonly::error_of(std::forward<Action>(action), code);
    return text.substr(0, text.find(" | "));
}

// "message" and hint of the Error, whatever its code: where the text says all. "no error" if none.
template <typename Action>
std::string any_message_of(Action&& action) {
    try {
        std::forward<Action>(action)();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace ward::testonly
