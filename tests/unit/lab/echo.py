"""A node that writes its argument, as a fork server starts one."""

import os
import sys


def main() -> None:
    os.write(1, os.fsencode(sys.argv[1]))
