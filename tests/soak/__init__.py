"""The soak test: random faults for as long as you like, seen from outside.

`python -m soak --help`.
"""
