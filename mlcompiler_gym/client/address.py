# SPDX-License-Identifier: Apache-2.0
"""``grpc://host:port``, and how to be let in there."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

#: Names a folder of credentials, for addresses that are given none.
CREDENTIALS_VARIABLE = "MLCOMPILER_GYM_CREDENTIALS"

#: Files of such a folder. A client needs the first two.
CA_FILE = "ca.pem"
TOKEN_FILE = "token"
CERTIFICATE_FILE = "server.pem"
KEY_FILE = "server.key"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Address:
    """Where a server is, and what it takes to be let in.

    Attributes:
        target: Host and port.
        secure: Speak TLS.
        credentials: Folder with the authority that signed the server's
            certificate (``ca.pem``) and the ``token``, as
            ``mlcompiler-gym serve-credentials`` writes it.
    """

    target: str
    secure: bool = False
    credentials: Path | None = None

    @classmethod
    def parse(
        cls, url: str, credentials: str | os.PathLike[str] | None = None
    ) -> Address:
        """The address in ``grpc://host:port``, or ``grpcs://host:port`` for TLS.

        Raises:
            ValueError: It is neither, or would send a token in the clear.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = None
        if (
            parts.scheme not in ("grpc", "grpcs")
            or not parts.hostname
            or port is None
            or parts.path not in ("", "/")
        ):
            raise ValueError(
                f"service={url!r} is not an address such as 'grpc://127.0.0.1:5051', "
                "or 'grpcs://host:5051' for TLS"
            )
        secure = parts.scheme == "grpcs"
        if credentials is None and secure:
            credentials = os.environ.get(CREDENTIALS_VARIABLE) or None
        if credentials is not None and not secure:
            raise ValueError(
                f"{url} is not encrypted, and its token could be read by others; "
                f"use grpcs://{parts.netloc}"
            )
        folder = Path(credentials) if credentials is not None else None
        return cls(parts.netloc, secure, folder)

    def __str__(self) -> str:
        return f"{'grpcs' if self.secure else 'grpc'}://{self.target}"

    def certificate(self) -> bytes | None:
        """Certificate of the authority to trust; None: the system's own."""
        if self.credentials is None or not (self.credentials / CA_FILE).exists():
            return None
        return (self.credentials / CA_FILE).read_bytes()

    def doubt(self, details: str) -> str:
        """What else may be wrong if nothing answers, by what gRPC says of it."""
        if not self.secure:
            if "refused" in details:
                return ""
            return f" If it serves with credentials, it is grpcs://{self.target}."
        if self.credentials is None or self.certificate() is not None:
            return ""
        return (
            f" There is no {self.credentials / CA_FILE}, so that only certificates are "
            "trusted that the system trusts."
        )

    def token(self) -> str | None:
        """What the server knows this client by."""
        if self.credentials is None or not (self.credentials / TOKEN_FILE).exists():
            return None
        # A server's folder may have several tokens, and any of them will do.
        tokens = (self.credentials / TOKEN_FILE).read_text().split()
        return tokens[0] if tokens else None
