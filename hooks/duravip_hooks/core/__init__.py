"""The decisions of `duravip-hooks`: values in, values out; no clock, no I/O, no chance."""
