"""What a person sees in a notebook: the ``%memory`` magic and its commands."""
