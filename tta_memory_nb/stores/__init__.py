"""Where records are kept: one file for each backend, all with the promises of `base.Store`."""
