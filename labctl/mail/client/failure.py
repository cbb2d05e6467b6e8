"""What is told of a connection that failed, in the same words for every protocol."""

from __future__ import annotations


def seen_in(error: BaseException, timeout: float | None = None, *, awaited: str = "reply") -> str:
    """Tell what was seen when a server did not answer as it should.

    Args:
        error: What a socket or a library raised.
        timeout: The seconds that were waited, where they are known.
        awaited: What was waited for.
    """
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):  # smtplib hides it
        return f"no {awaited} in time" if timeout is None else f"no {awaited} within {timeout:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, (ConnectionError, EOFError)):
        return f"the connection was lost ({error})"
    return str(error) or type(error).__name__
