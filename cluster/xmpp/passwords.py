"""Passwords that can be used (RFC 5802 section 2.2)."""

from __future__ import annotations

MAX_BYTES = 1_023
"""Like an account's name: SASLprep takes 10 µs for each character, in which the process does nothing else."""


def check(password: str) -> None:
    """Raises ValueError for a password that is empty or too long, or that SASLprep refuses (RFC 4013)."""
    check_size(password)
    reason = _refusal(password)
    if not reason:
        return
    character = next((character for character in password if _refusal(character)), None)
    where = f"U+{ord(character):04X} is not allowed in it" if character else "its characters do not go together"
    raise ValueError(f"the password cannot be used: {where} (SASLprep, RFC 4013: {reason})")


def check_size(password: str) -> None:
    """Raises ValueError for a password that is empty or too long."""
    if not password:
        raise ValueError("the password is empty")
    if len(password.encode(errors="surrogatepass")) > MAX_BYTES:
        raise ValueError(f"the password is longer than {MAX_BYTES} bytes")


def _refusal(text: str) -> str:
    """Why SASLprep refuses it; empty if it does not."""
    if text.isascii() and text.isprintable():
        return ""
    import scramp  # tables and certificates that no command waits for: most passwords are ASCII
    from scramp.core import saslprep

    try:
        saslprep(text)
    except scramp.ScramException as error:
        return str(error.args[0])
    return ""
