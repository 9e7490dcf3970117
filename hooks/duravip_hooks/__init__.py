"""`duravip-hooks`: runs executables when addresses come to this node, or leave it."""
