"""The operator command `billing`."""
