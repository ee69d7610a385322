"""A login before MLflow's server: HTTP Basic, as its clients and every browser send it."""

import base64
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

OPEN = ("/health", "/version")  # probes ask without a login and learn nothing
_REFUSED = b"This MLflow server wants a login: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.\n"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class LoginGuard:
    """Lets no request through that does not bear the login.

    Args:
        application: what is guarded.
        user: name of the login.
        password: of the login.
    """

    def __init__(self, application: Application, user: str, password: str) -> None:
        self._application = application
        self._expected = b"Basic " + base64.b64encode(f"{user}:{password}".encode())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan" or scope["path"] in OPEN or self._bears_login(scope):
            await self._application(scope, receive, send)
        elif scope["type"] == "http":
            headers = [(b"content-type", b"text/plain"), (b"www-authenticate", b'Basic realm="MLflow"')]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSED})
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _bears_login(self, scope: Message) -> bool:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return hmac.compare_digest(given, self._expected)
