"""The decisions of the operator: values in, values out; no clock, no I/O, no chance."""
