"""What all tests share: how hypothesis runs, and that nobody's own settings count."""

from __future__ import annotations

import os

import hypothesis

os.environ["XDG_CONFIG_HOME"] = "/dev/null"

# hypothesis itself picks a reproducible profile where CI is set; elsewhere it explores, without judging the speed.
if "CI" not in os.environ:
    hypothesis.settings.register_profile("explore", deadline=None)
    hypothesis.settings.load_profile("explore")
