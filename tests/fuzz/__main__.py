"""`python -m tests.fuzz SECONDS [TARGET …]`: each target with the inputs that atheris (libFuzzer) finds; `make fuzz`.

An input that breaks the promise of its target is written to a file of the current folder, and makes the run fail;
`python -m tests.fuzz TARGET FILE` runs that one input again.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

MAX_INPUT_BYTES = 4_096
SLOW_S = 60
"""An input that takes so long is a fault too."""
MAX_MIB = 1_024
ONE = "--one-target"


def run(seconds: int, names: list[str]) -> int:
    """Each target in a process of its own, since a fuzzer never gives its process back; 0 where none found a fault."""
    from tests.fuzz.seeds import SEEDS

    failed = 0
    for name in names or SEEDS:
        share = max(1, seconds // len(names or SEEDS))
        print(f"--- {name}, {share} s", flush=True)
        with tempfile.TemporaryDirectory(prefix="xmpplab-fuzz-") as corpus:
            for number, seed in enumerate(SEEDS[name]):
                (Path(corpus) / str(number)).write_bytes(seed)
            command = [sys.executable, "-m", "tests.fuzz", ONE, name, str(share), corpus]
            failed |= subprocess.run(command, check=False).returncode
    return failed


def fuzz(name: str, seconds: str, corpus: str) -> None:
    """Does not return."""
    import atheris

    with atheris.instrument_imports(include=["cluster"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup(
        [sys.argv[0], corpus, f"-max_total_time={seconds}", f"-max_len={MAX_INPUT_BYTES}", f"-timeout={SLOW_S}",
         f"-rss_limit_mb={MAX_MIB}", "-verbosity=0", "-print_final_stats=1", f"-artifact_prefix=fuzz-{name}-"],
        TARGETS[name],
    )  # fmt: skip
    atheris.Fuzz()


def main() -> None:
    """See above."""
    match sys.argv[1:]:
        case [one, name, seconds, corpus] if one == ONE:
            fuzz(name, seconds, corpus)
        case [seconds, *names] if seconds.isdigit():
            sys.exit(run(int(seconds), names))
        case [name, path]:
            from tests.fuzz.targets import TARGETS

            TARGETS[name](Path(path).read_bytes())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
