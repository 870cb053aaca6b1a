"""What `billing run` prints when all is up: the address, the demo users, and five curl lines to copy."""
