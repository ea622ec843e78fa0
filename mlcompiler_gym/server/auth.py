# SPDX-License-Identifier: Apache-2.0
"""Who a client is, and whether it is let in."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import ssl
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
    """Refuses calls without one of the tokens, except calls about health."""

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


def client_of(context: grpc.ServicerContext, *, by_token: bool) -> tuple[str, str]:
    """What a client is known by, and what logs call it.

    It is known by its token, of which only a digest is kept. Where no token is asked
    for, it is known by its host, and a token that it gives says nothing.
    """
    if by_token:
        given = str(dict(context.invocation_metadata()).get(_HEADER, ""))
        digest = hashlib.sha256(given.encode()).hexdigest()
        return digest, f"token {digest[:8]}"
    # "ipv4:127.0.0.1:40312", "ipv6:%5B::1%5D:40312", "unix:"
    host = unquote(context.peer()).rpartition(":")[0]
    return host, host


def read_tokens(folder: Path) -> list[str]:
    """One a line.

    Raises:
        ServiceUnavailableError: There is none, or others can read them.
    """
    lines = _read(folder / TOKEN_FILE).decode(errors="replace").splitlines()
    tokens = [line.strip() for line in lines if line.strip()]
    if not tokens:
        raise ServiceUnavailableError(
            f"{folder / TOKEN_FILE} holds no token; "
            f"`mlcompiler-gym serve-credentials {folder} --add-token` makes one"
        )
    return tokens


def _read(path: Path, *, secret: bool = True) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except OSError as error:
        raise ServiceUnavailableError(
            f"cannot read {path}: {error.strerror}; "
            f"`mlcompiler-gym serve-credentials {path.parent}` makes it"
        ) from error
    # A group's right is for containers, where secrets belong to root and a group.
    if secret and mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
        raise ServiceUnavailableError(
            f"others can read or change {path} (mode {stat.S_IMODE(mode):o}), and with "
            f"it be this server or its clients: run `chmod 600 {path}`"
        )
    return content


def server_credentials(folder: Path) -> grpc.ServerCredentials:
    """TLS, by the files that :func:`make_credentials` writes.

    Raises:
        ServiceUnavailableError: They are no certificate and its key.
    """
    certificate, key = folder / CERTIFICATE_FILE, folder / KEY_FILE
    contents = _read(key), _read(certificate, secret=False)
    try:
        # Whatever is wrong with them, gRPC would only say that it could not bind.
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

    Raises:
        ServiceUnavailableError: There are such files already, or they cannot be
            written.
    """
    import trustme

    names = (CA_FILE, CERTIFICATE_FILE, KEY_FILE, TOKEN_FILE)
    for path in (folder / name for name in names):
        if path.exists() or path.is_symlink():
            raise ServiceUnavailableError(
                f"{path} is there already, and clients may be using it; name another "
                "folder, or add a token to this one with --add-token"
            )
    authority = trustme.CA(organization_name="mlcompiler_gym")
    issued = authority.issue_cert(*hosts)
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    key = issued.private_key_pem.bytes()
    contents = (authority.cert_pem.bytes(), chain, key, _new_token())
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as written:
            for name, content in zip(names, contents, strict=True):
                _append(folder / name, content, os.O_EXCL | os.O_CREAT)
                written.callback((folder / name).unlink)
            written.pop_all()  # all of them or none


def add_token(folder: Path) -> None:
    """Let one more client in, by a token of its own.

    Raises:
        ServiceUnavailableError: The folder has no tokens, or cannot be written.
    """
    read_tokens(folder)
    path = folder / TOKEN_FILE
    with _writing(folder):
        last = path.read_bytes()[-1:]
        _append(path, (b"" if last == b"\n" else b"\n") + _new_token(), 0)


def _new_token() -> bytes:
    return secrets.token_urlsafe(32).encode() + b"\n"


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceUnavailableError(
            f"cannot write credentials to {folder}: {error}"
        ) from error


def _append(path: Path, data: bytes, flags: int) -> None:
    # No other user may read it, not for a moment, whatever the umask is.
    flags |= os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    with open(descriptor, "wb") as file:
        if flags & os.O_CREAT:
            os.fchmod(descriptor, 0o600)
        file.write(data)
