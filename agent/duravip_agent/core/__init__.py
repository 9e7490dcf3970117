"""The decisions of the agent: values in, values out; no clock, no I/O, no chance."""
