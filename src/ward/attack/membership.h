// Membership inference: was this example in the training set?
//
// What an attack needs is the confidence of models in the right class of each example: of the
// target, of reference models trained on data of the same kind (`attack/shadow.h`), and for some
// attacks on a population of examples that nobody trained on.
//
//   name                  needs                       source
//   loss                  target                      Yeom et al. 2018: the loss itself
//   attack-p              target, population          Ye et al. 2022: rank among the population
//   quantile              target, population          Bertran et al. 2023: quantile_regression.h
//   label-gap             labels of the target        Yeom et al. 2018: right or wrong
//   label-noise           labels of the target        Choquette-Choo et al. 2021: label_only.h
//   label-augment         labels of the target        the same, shifted and rotated images
//   label-boundary        labels of the target        the same, distances by HopSkipJump
//   attack-r              target, references (out)    Ye et al. 2022: rank among the references
//   lira-online[-fixed]   target, references in, out  Carlini et al. 2022, algorithm 1
//   lira-offline[-fixed]  target, references (out)    Carlini et al. 2022, section V
//   rmia-online           all three                   Zarifzadeh, Liu, Shokri 2024, algorithm 1
//   rmia-offline          all three (out only)        the same with p(x) from references without x
//
// "fixed" takes one variance for all examples: better below some 64 references. References never
// were trained on the population.
//
// Threat: an attacker with the scores of the target, who knows the distribution of the data and how
// the model is trained; online attacks also the examples in question before he trains references.
//
// Thread safety: pure functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ward::attack {

// ln p and ln p / (1 - p) of the right class, per example.
struct Confidence {
    std::vector<double> log_p, log_odds;
};

// From logits {n, classes}, in double precision and without ever rounding p to 1. Throws Error
// kInvalid for labels out of range or logits that are not finite.
Confidence confidence_of(const at::Tensor& logits, std::span<const int64_t> labels);

struct MembershipSignals {
    Confidence target;                                      // of the examples in question
    std::vector<double> target_population;                  // ln p
    std::vector<Confidence> references;                     // [reference]
    std::vector<std::vector<double>> reference_population;  // [reference], ln p
    std::vector<std::vector<uint8_t>> held;  // [reference][example], 1: trained on it
    // quantile: what the regression knows of the examples and the population, {n, features}.
    at::Tensor features, population_features;
    // label-gap, label-noise, label-augment and label-boundary, one per example: 1 where the label
    // is right, share of noisy copies, of shifted and rotated ones, distance.
    std::vector<double> label_gap, label_noise, label_augment, label_boundary;
};

struct MembershipOptions {
    double gamma = 1;  // RMIA: how much likelier than a population example to count; >= 1
    // RMIA offline: p(x) = ((1 + a) p_out(x) + 1 - a) / 2; 0.3 for CIFAR-10 by the authors.
    double offline_a = 0.3;
    uint64_t seed = 1;  // of the regressions of quantile
};

std::vector<std::string> membership_attack_names();

// One line about an attack, and whether these references suffice for it (an even number as trained
// by train_shadows).
bool needs_references(std::string_view attack);
bool needs_population(std::string_view attack);
bool needs_features(std::string_view attack);  // of the examples and the population
bool needs_labels(std::string_view attack);    // queries of its own, and nothing but labels

// One score per example; higher means member. Throws Error kUsage (an unknown name, options out of
// range) or kInvalid (signals that do not fit or too few references, naming the attack).
std::vector<double> membership_scores(std::string_view attack, const MembershipSignals& signals,
                                      const MembershipOptions& options = {});

}  // namespace ward::attack
