"""The verbs, a module each: it asks the cluster, has its core work it out, and prints.

A verb has its module's name. The module has `VERB`, `add_arguments(parser)`, which declares the
verb's own options, and `run(context)`, which gives the exit code.
"""
