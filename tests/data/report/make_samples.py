#!/usr/bin/env python3
"""Writes the sample training records of this folder: simulated predictions, NOT results of a training.

usage: make_samples.py FOLDER
"""
import hashlib
import json
import math
import os
import random
import sys


def evaluate(test_examples, classes, accuracy_of_class, seed):
    rng = random.Random(seed)
    confusion = [[0] * classes for _ in range(classes)]
    bins = [{"low": i / 15, "high": (i + 1) / 15, "examples": 0, "mean_confidence": 0.0, "accuracy": 0.0}
            for i in range(15)]
    right, loss = "", 0.0
    for i in range(test_examples):
        truth = i % classes if classes > 2 else (1 if i % 8 < 5 else 0)
        hit = rng.random() < accuracy_of_class[truth]
        guess = truth if hit else rng.choice([c for c in range(classes) if c != truth])
        sure = rng.betavariate(9, 1.0) if hit else rng.betavariate(3, 2.2)
        sure = min(0.999, max(1 / classes + 0.02, sure))
        confusion[truth][guess] += 1
        right += "1" if hit else "0"
        slot = bins[min(14, max(0, math.ceil(sure * 15) - 1))]
        slot["examples"] += 1
        slot["mean_confidence"] += sure
        slot["accuracy"] += hit
        loss -= math.log(sure if hit else (1 - sure) / (classes - 1))
    error = 0.0
    for slot in bins:
        if slot["examples"]:
            slot["mean_confidence"] /= slot["examples"]
            slot["accuracy"] /= slot["examples"]
            error += slot["examples"] / test_examples * abs(slot["accuracy"] - slot["mean_confidence"])
    correct = right.count("1")
    return {"accuracy": correct / test_examples, "correct": correct, "examples": test_examples,
            "confusion": confusion, "reliability": bins, "calibration_error": error,
            "log_loss": loss / test_examples, "auc": None if classes > 2 else 0.985, "right": right}


def privacy(epsilon, sampling_rate, steps, noise_multiplier):
    return {"epsilon_upper": epsilon, "epsilon_lower": epsilon * 0.9995, "rdp_epsilon": epsilon * 1.07,
            "delta": 1e-4, "adjacency": "add or remove one example", "unit": "example", "sampler": "poisson",
            "noise_multiplier": noise_multiplier, "clipping": "flat", "clipping_norm": 1.0,
            "sampling_rate": sampling_rate, "steps": steps,
            "statement": f"Every intermediate and final model is ({epsilon}, 0.0001)-differentially private with "
                         "respect to adding or removing one training example. The attacker may see all noisy "
                         "gradient sums, know every other example and know this plan.",
            "not_covered": [], "warnings": []}


def record(data, model, parameters, plan, accuracy_of_class, seed, command):
    name, train_examples, test_examples, class_names = data
    evaluation = evaluate(test_examples, len(class_names), accuracy_of_class, seed)
    steps = plan["steps"] if plan else 400
    rate = plan["sampling_rate"] if plan else 0.05
    final, start = evaluation["accuracy"], 1 / len(class_names)
    curve = []
    for i in range(21):
        share = i / 20
        curve.append({"step": steps * i // 20, "epoch": round(steps * share * rate, 4),
                      "epsilon": plan["epsilon_upper"] * (0.25 + 0.75 * math.sqrt(share)) * (i > 0) if plan else None,
                      "test_accuracy": final if i == 20 else final - (final - start) * math.exp(-i / 3.2)})
    suffix = "" if plan else "-twin"
    digest = lambda text: hashlib.sha256(text.encode()).hexdigest()
    return {"format": "ward-training-record-1", "created_utc": "2026-01-31T12:00:00Z", "software": "sample",
            "data": {"name": name, "digest": digest(name), "train_examples": train_examples,
                     "test_examples": test_examples, "class_names": class_names, "bounds_read_from_data": False},
            "model": {"name": model, "parameters": parameters, "digest": digest(name + model + suffix),
                      "file": f"{name}{suffix}.safetensors"},
            "private": bool(plan), "privacy": plan, "curve": curve, "evaluation": evaluation,
            "resources": {"seconds": 83.4 if plan else 21.7, "peak_memory_bytes": 412000000 if plan else 371000000,
                          "threads": 2, "device": "cpu", "cpu": "sample processor", "precision": "fp32"},
            "command": command}


DIGITS = ("sample-digits", 1437, 360, [str(i) for i in range(10)])
CANCER = ("sample-cancer", 455, 114, ["malignant", "benign"])
RECORDS = {
    "digits": record(DIGITS, "cnn", 35274, privacy(2.9312, 64 / 1437, 900, 1.134),
                     [.98, .93, .96, .92, .95, .94, .98, .97, .86, .9], 1, "ward train --data digits --epsilon 3"),
    "digits-twin": record(DIGITS, "cnn", 35274, None,
                          [.99, .97, .99, .98, .98, .98, .99, .99, .95, .97], 2, "ward train --data digits --no-privacy"),
    "cancer": record(CANCER, "mlp", 41026, privacy(0.997, 45 / 455, 300, 3.3), [.92, .96], 3,
                     "ward train --data breast-cancer --epsilon 1"),
    "cancer-twin": record(CANCER, "mlp", 41026, None, [.95, .98], 4, "ward train --data breast-cancer --no-privacy"),
}

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for file_name, content in RECORDS.items():
        with open(os.path.join(sys.argv[1], file_name + ".record.json"), "w", encoding="utf-8") as out:
            json.dump(content, out, separators=(",", ":"))
            out.write("\n")
