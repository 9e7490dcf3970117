"""`make bench`: how long addresses are silent when something happens, beside keepalived.

`python -m bench --help` is for people. README.md says what each figure means.
"""
