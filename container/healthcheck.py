"""Ask the gateway in this container whether it lives; the status is 0 where it does."""

from __future__ import annotations

import http.client
import sys
from urllib.parse import urlsplit

from inhouse import config

PATIENCE = 3
"""Seconds."""


def main() -> int:
    """Ask where the configuration says that it listens, past every proxy."""
    asked = urlsplit(config.load_client().url)
    connection = http.client.HTTPConnection(asked.hostname or "", asked.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/monitoring/healthz")
        return 0 if connection.getresponse().status == http.HTTPStatus.OK else 1
    except OSError:
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
