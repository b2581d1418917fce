// Training a logistic regression on encrypted rows: gradient descent over all rows at once, with a
// polynomial in place of the sigmoid (after Han, Song, Cheon and Park, AAAI 2019, ia.cr/2018/662).
//
// The owner of the rows encrypts them into one ciphertext, the evaluator returns encrypted weights,
// nobody decrypts in between. Row i is z_i = (2 y_i - 1) (x_i, 1); an epoch adds
//
//     learning_rate / rows * sum over i of p(z_i w) z_i,   p(m) near sigmoid(-m),
//
// which takes four levels, and the first, where w is 0, one.
//
// Threat: as in client.h; the evaluator learns the number of rows and features and the settings.
// What is assumed and not proven: no |z_i w| leaves the interval of the polynomial (rows are
// clamped, so that only the weights could grow), and errors of different slots are independent;
// both are part of the bounds that the result carries. Thread safety: values and functions.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "ward/he/ckks.h"
#include "ward/he/infer/client.h"

namespace ward::he {

struct LogisticRequest {
    int rows = 0, features = 0;
    int epochs = 5;
    double learning_rate = 2;
    double feature_bound = 4;  // features are clamped to +- this; standardise them first
    double margin_bound = 8;   // of |z_i w|: the polynomial is made for this interval
    int scale_bits = 40;
    SecurityLevel security = SecurityLevel::k128;
};

struct LogisticPlan {
    LogisticRequest request;
    Parameters parameters;
    int width = 1, height = 1;     // powers of two: slots of one row, rows
    double linear = 0, cubic = 0;  // p(m) = 1/2 + linear m + cubic m^3
    std::map<int, int> rotations;  // steps, and the highest level they are used at
};

// Throws Error kInvalid for numbers out of range, kUnsupported for more rows or epochs than fit.
LogisticPlan plan_logistic(const LogisticRequest& request);

// `rows` holds the features row by row, `labels` 0 or 1 for each row.
Ciphertext encrypt_rows(const LogisticPlan& plan, std::span<const double> rows,
                        std::span<const int> labels, const SecretKey& key, Random& random);

// By the evaluator: the weights in the first slots, the constant last, repeated.
Ciphertext train_logistic(const LogisticPlan& plan, const Ciphertext& rows,
                          const EvaluationKeys& keys);

// The same arithmetic without encryption.
std::vector<double> train_logistic_twin(const LogisticPlan& plan, std::span<const double> rows,
                                        std::span<const int> labels);

}  // namespace ward::he
