"""Settings that all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# A busy machine is no bug, so no example has a deadline. People explore new examples with each
# run; a change is judged by the same ones every time, so that it is not blamed for another's bug.
settings.register_profile("tta", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("tta")
