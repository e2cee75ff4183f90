"""A node that writes what it draws at random, as a fork server starts one."""

import os
import random
import secrets
import uuid

from cluster.lab.runtime.process import new_id


def main() -> None:
    os.write(1, " ".join([new_id(), str(random.random()), secrets.token_hex(8), str(uuid.uuid4())]).encode())
