"""The certificates that a program has to trust in a lab."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from OpenSSL import crypto

from cluster.lab.folder import LabFolder
from cluster.lab.private import write_private

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""The bundles of Debian, Fedora, and Alpine and macOS."""
BY_HASH = "/etc/ssl/certs"
"""The folder in which programs look for certificates by the hash of their subject."""


def trust_bundle(folder: LabFolder) -> Path:
    """Write the certificates that this process trusts (`SSL_CERT_FILE`, otherwise the system's), and the lab's CA."""
    trusted = next((path for path in (os.environ.get("SSL_CERT_FILE", ""), *BUNDLES) if os.path.isfile(path)), None)
    path = folder.path / "trusted.pem"
    already = b"" if trusted is None or Path(trusted) == path else Path(trusted).read_bytes().rstrip() + b"\n"
    write_private(path, already + folder.ca_file.read_bytes(), 0o644)
    return path


def trust_by_hash(folder: LabFolder) -> Path:
    """A copy of the system's folder with the lab's CA in it, made once: Qt looks there, and reads no bundle."""
    made = folder.path / "certs"
    if not made.exists():
        new = Path(tempfile.mkdtemp(prefix="certs-", dir=folder.path))
        shutil.copytree(BY_HASH, new, symlinks=True, dirs_exist_ok=True)
        authority = crypto.load_certificate(crypto.FILETYPE_PEM, folder.ca_file.read_bytes())
        shutil.copy(folder.ca_file, new / f"{authority.subject_name_hash():08x}.0")
        with suppress(OSError):  # another process was faster
            new.rename(made)
        shutil.rmtree(new, ignore_errors=True)
    return made
