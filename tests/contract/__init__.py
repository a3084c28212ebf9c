"""The contract of all backends, written once and run on each of them."""
