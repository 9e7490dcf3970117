"""`kubectl duravip`: looks at addresses and nodes, explains, tries out, drains."""
