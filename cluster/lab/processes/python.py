"""How the processes of a lab run a module of ours."""

from __future__ import annotations

import sys

PYTHON = (sys.executable, "-P", "-m")
"""The module and its arguments follow. -P: nothing is imported from the current folder, which is the user's and may
have a file that is called like a module of Python."""
