"""What the user has logged in with at registries, as ``docker login`` keeps it: by Docker's own SDK."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from labctl.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator


def for_registry(repository: str) -> dict[str, str]:
    """Return the header that goes with the pull of a repository; nothing where nobody has logged in.

    Raises:
        EngineError: The user's own program for credentials failed.
    """
    from docker import auth  # noqa: PLC0415  # it takes 80 ms, and few commands need it

    with _translated():
        registry, _ = auth.resolve_repository_name(repository)
        known = auth.load_config().resolve_authconfig(registry)
        return {"X-Registry-Auth": _encoded(known)} if known else {}


def for_build() -> dict[str, str]:
    """Return the header that goes with a build, which may draw on any registry; errors as above."""
    from docker import auth  # noqa: PLC0415  # as above

    with _translated():
        known = auth.load_config().get_all_credentials()
        if auth.INDEX_NAME in known:  # engines know it by its URL
            known.setdefault(auth.INDEX_URL, known[auth.INDEX_NAME])
        return {"X-Registry-Config": _encoded(known)} if known else {}


def _encoded(known: Any) -> str:
    from docker import auth  # noqa: PLC0415  # as above

    return str(auth.encode_header(known), "ascii")


@contextmanager
def _translated() -> Iterator[None]:
    from docker.errors import DockerException  # noqa: PLC0415  # as above

    try:
        yield
    except (DockerException, OSError, LookupError, TypeError, ValueError) as exc:
        raise EngineError(
            f"the credentials for registries can't be read: {exc}", hint="docker login, or docker logout"
        ) from exc
