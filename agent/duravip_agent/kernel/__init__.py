"""What the agent reads and changes in the kernel of its node, by netlink and nf_tables."""
