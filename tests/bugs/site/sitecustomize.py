"""Python imports this as it starts, where PYTHONPATH has this folder: so each process of a lab has the bug."""

import os
import sys

try:
    from tests.bugs.bugs import BUGS

    BUGS[os.environ["XMPPLAB_TEST_BUG"]](setattr)
except Exception as error:  # Python would print it and go on without the bug
    sys.exit(f"no bug was put in: {error!r}")
