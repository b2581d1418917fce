#!/usr/bin/env python3
"""Fails on an include that goes upward or sideways between modules, or on Torch outside its door.

Usage: tools/check_layers.py [ROOT]
Levels are those of docs/design.md, section 1.
"""
import pathlib
import re
import sys

LEVELS = {
    "core": 0, "crypto": 1, "data": 1, "model": 1, "net": 2, "dp": 2, "he": 3, "mpc": 3, "anonymize": 3, "nn": 4,
    "train": 5, "synth": 6, "attack": 6, "defend": 7, "federated": 7, "audit": 8, "serve": 8, "cli": 9,
}
TORCH = re.compile(r'#include\s*[<"](torch|ATen|c10|caffe2)/')
# at::Tensor may be named in the headers of level 4 and above; everything else of Torch comes through nn/torch.h.
TENSOR = re.compile(r"#include\s*<ATen/core/Tensor\.h>")
OWN = re.compile(r'#include\s*[<"]ward/([a-z]+)/([^">]+)[">]')


def violations(root):
    for path in sorted((root / "src" / "ward").rglob("*")):
        if path.suffix not in {".h", ".cc"}:
            continue
        module = path.relative_to(root / "src" / "ward").parts[0]
        is_test = path.stem.endswith("_test") or "testing" in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{path.relative_to(root)}:{number}"
            if TORCH.match(line):
                if LEVELS[module] < 4:
                    yield f"{where}: {module} must build without LibTorch"
                elif path.suffix == ".h" and path.name != "torch.h" and not TENSOR.match(line):
                    yield f"{where}: include nn/torch.h in the .cc file; a header may name ATen/core/Tensor.h only"
            found = OWN.match(line)
            if not found or found[1] == module:
                continue
            other, rest = found[1], found[2]
            if other not in LEVELS:
                yield f"{where}: unknown module {other}"
            elif LEVELS[other] >= LEVELS[module]:
                yield f"{where}: {module} (level {LEVELS[module]}) must not know {other} (level {LEVELS[other]})"
            elif rest.startswith("internal/") and not is_test:
                yield f"{where}: {other}/internal is private to {other}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = list(violations(root))
    print("\n".join(found) if found else "layers: every include goes downward")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
