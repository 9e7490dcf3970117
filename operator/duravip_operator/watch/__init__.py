"""What the operator watches: the kinds it decides from, kept as parsed objects in one store."""
