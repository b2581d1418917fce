#!/usr/bin/env python3
"""Prints `N passed, N failed, N skipped` for a JUnit file that ctest wrote."""
import sys
import xml.etree.ElementTree as tree

suite = tree.parse(sys.argv[1]).getroot()
total, failed, skipped = (int(suite.get(key, "0")) for key in ("tests", "failures", "skipped"))
skipped += int(suite.get("disabled", "0"))
print(f"{total - failed - skipped} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or total == 0 else 0)
