"""The demo on kind, with a node image that is made here."""
