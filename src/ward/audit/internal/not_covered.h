// What no guarantee of training covers; the same sentences in cards, records and reports.
#pragma once

namespace ward::audit {

inline constexpr const char* kChoicesNotCovered =
    "Choices made after looking at these data: if model, recipe or settings were tuned on the "
    "training data, that search adds to epsilon.";
inline constexpr const char* kTestNotCovered =
    "The test examples: accuracy, confusion matrix and calibration are computed from them without "
    "noise.";
inline constexpr const char* kCostNotCovered =
    "Running time and memory of the training: they depend on the data a little.";
inline constexpr const char* kBoundsNotCovered =
    "The bounds and categories of the columns: they were read from the training data. Declare them "
    "in the schema to close this leak.";

}  // namespace ward::audit
