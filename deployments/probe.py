"""Whether a server answers, for health checks: `python -m deployments.probe http://127.0.0.1:5000/health`.

Only Python's own library is loaded, since it is run every few seconds.
"""

import sys
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

PROBE_SECONDS = 5.0


def answers(address: str) -> bool:
    """Whether an address answers, asked past every proxy."""
    try:
        with build_opener(ProxyHandler({})).open(address, timeout=PROBE_SECONDS) as response:
            return bool(response.status < 400)
    except (URLError, OSError, ValueError):
        return False


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(
            "probe: name one address, as in python -m deployments.probe http://127.0.0.1:4200/api/health"
        )
    sys.exit(0 if answers(sys.argv[1]) else f"probe: {sys.argv[1]} does not answer")
