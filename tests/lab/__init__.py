"""The local cluster: a small Kubernetes on this machine, without docker and without a VM.

A machine is a set of Linux namespaces. `python -m lab --help` is for people; tests use `Lab`.
"""
