"""The driver's own connections, for the hot paths."""

from typing import Any

import psycopg

RawConnection = psycopg.AsyncConnection[Any]
