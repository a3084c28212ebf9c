"""The notebook's side of the package: the ``%memory`` magic, its commands, and the explorer."""
