"""The objects of the API as lists, and as the rows that `show` and `nodes` print."""
