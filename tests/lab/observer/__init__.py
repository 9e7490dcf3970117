"""The outside view: who answers for an address, and what a client sees of it.

`process.py` runs in the client machine; `observation.py` starts it and reads what it has seen.
"""
