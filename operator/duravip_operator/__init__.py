"""The operator: elects one owner for every address and tells its node to plumb it."""
