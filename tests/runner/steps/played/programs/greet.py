"""Asks for a name, greets, and ends with status 3."""

import sys

print("name? ", end="", flush=True)
print("hello", input(), flush=True)
sys.exit(3)
