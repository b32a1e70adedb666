"""What all tests share: how hypothesis runs."""

from __future__ import annotations

import os

import hypothesis

# hypothesis itself picks a reproducible profile where CI is set; elsewhere it explores, without judging the speed.
if "CI" not in os.environ:
    hypothesis.settings.register_profile("explore", deadline=None)
    hypothesis.settings.load_profile("explore")
