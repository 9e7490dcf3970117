"""Mail queues that follow their Bindings: what stands beside a node's Postfix."""
