#!/usr/bin/env python3
"""Runs `ward account` on every DP-SGD entry of the reference values and prints the worst errors and times.

usage: scripts/check_accounting.py WARD_PROGRAM REFERENCE_JSON
"""
import json
import subprocess
import sys
import time


def account(ward, *flags):
    start = time.time()
    run = subprocess.run([ward, "account", "--json", *map(str, flags)], capture_output=True, text=True, check=True)
    return json.loads(run.stdout), time.time() - start


def main():
    ward, path = sys.argv[1:3]
    with open(path) as file:
        reference = json.load(file)
    worst = {"rdp": 0.0, "pld over tightest": -1.0, "gap": 0.0, "seconds": 0.0, "noise": 0.0, "noise seconds": 0.0}
    failures = []
    for entry in reference["dpsgd"] + reference["dpsgd_high_precision"]:
        flags = ["--sampling-rate", repr(entry["q"]), "--noise-multiplier", repr(entry["sigma"]), "--steps", entry["T"],
                 "--delta", repr(entry["delta"])]
        got, seconds = account(ward, *flags)
        upper, lower = got["pld"]["upper"], got["pld"]["lower"]
        known = [entry[k] for k in ("eps_exact", "eps_high_precision", "eps") if k in entry]
        known = known or [entry[k] for k in ("eps_pld_pessimistic", "eps_prv_upper") if k in entry]
        excess = upper / min(known) - 1
        worst["pld over tightest"] = max(worst["pld over tightest"], excess)
        worst["gap"] = max(worst["gap"], (upper - lower) / upper)
        worst["seconds"] = max(worst["seconds"], seconds)
        ok = excess <= 1e-3 and lower <= upper and upper >= entry.get("eps_prv_lower", 0) and seconds < 1
        if "eps_rdp" in entry and abs(got["rdp"]["order"] - entry["rdp_order"]) < 1e-9:
            error = abs(got["rdp"]["epsilon"] / entry["eps_rdp"] - 1)
            worst["rdp"] = max(worst["rdp"], error)
            ok = ok and error <= 1e-6
        if not ok:
            failures.append((flags, got["pld"], got["rdp"], seconds))
    for entry in reference["calibration_dpsgd"]:
        if "sigma_pld" not in entry:
            continue
        flags = ["--sampling-rate", repr(entry["q"]), "--target-epsilon", repr(entry["target_eps"]), "--steps", entry["T"],
                 "--delta", repr(entry["delta"])]
        got, seconds = account(ward, *flags)
        error = abs(got["noise_multiplier"] / entry["sigma_pld"] - 1)
        worst["noise"] = max(worst["noise"], error)
        worst["noise seconds"] = max(worst["noise seconds"], seconds)
        if error > 1e-3 or seconds >= 2:
            failures.append((flags, got["noise_multiplier"], entry["sigma_pld"], seconds))
    for name, value in worst.items():
        print(f"worst {name:18s} {value:.3g}")
    for failure in failures:
        print("FAILED", *failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
