# SPDX-License-Identifier: Apache-2.0
"""Who a client is, and whether it is let in."""

from __future__ import annotations

import hmac
import os
import secrets
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
from typing_extensions import override

from mlcompiler_gym.client.address import (
    CA_FILE,
    CERTIFICATE_FILE,
    KEY_FILE,
    TOKEN_FILE,
)
from mlcompiler_gym.errors import ServiceUnavailableError

_HEADER = "authorization"
_HEALTH = "/grpc.health.v1.Health/"


class RequireToken(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls without one of the tokens, but for those about health."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens

        def refuse(request: object, context: grpc.ServicerContext) -> None:
            context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "the token is missing or wrong"
            )

        self._refusal = grpc.stream_stream_rpc_method_handler(refuse)

    @override
    def intercept_service(self, continuation: Callable[[Any], Any], call: Any) -> Any:
        if call.method.startswith(_HEALTH):
            return continuation(call)
        given = dict(call.invocation_metadata).get(_HEADER, "")
        for token in self._tokens:
            if hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                return continuation(call)
        return self._refusal


def client_of(context: grpc.ServicerContext) -> str:
    """What a client's sessions are counted by: its token, or else its host."""
    given = dict(context.invocation_metadata()).get(_HEADER)
    if given:
        return f"token {str(given).removeprefix('Bearer ')[:6]}…"
    # "ipv4:127.0.0.1:40312", "ipv6:%5B::1%5D:40312", "unix:"
    return unquote(context.peer()).rpartition(":")[0]


def read_tokens(folder: Path) -> list[str]:
    """One a line."""
    lines = (folder / TOKEN_FILE).read_text().splitlines()
    tokens = [line.strip() for line in lines if line.strip()]
    if not tokens:
        raise ValueError(f"{folder / TOKEN_FILE} holds no token")
    return tokens


def server_credentials(folder: Path) -> grpc.ServerCredentials:
    """TLS, by the files that :func:`make_credentials` writes.

    Raises:
        ServiceUnavailableError: They are no certificate and its key.
    """
    certificate, key = folder / CERTIFICATE_FILE, folder / KEY_FILE
    contents = key.read_bytes(), certificate.read_bytes()
    try:
        # Of whatever is wrong with them, gRPC says that it could not bind.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise ServiceUnavailableError(
            f"{certificate} and {key} are no certificate and its key "
            f"({error.reason or error}); `mlcompiler-gym serve-credentials` makes both"
        ) from error
    return grpc.ssl_server_credentials([contents])


def make_credentials(folder: Path, hosts: list[str]) -> None:
    """An authority, a certificate for these hosts, and a token.

    For a laboratory: the authority's key is not kept, so there will be no other
    certificate of it.
    """
    import trustme

    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="mlcompiler_gym")
    issued = authority.issue_cert(*hosts)
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    _write(folder / CA_FILE, authority.cert_pem.bytes())
    _write(folder / CERTIFICATE_FILE, chain)
    _write(folder / KEY_FILE, issued.private_key_pem.bytes())
    _write(folder / TOKEN_FILE, secrets.token_urlsafe(32).encode() + b"\n")


def _write(path: Path, data: bytes) -> None:
    # Nobody else shall read it, not for a moment.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
