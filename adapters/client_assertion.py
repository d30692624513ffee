"""The proof a client signs to get an access token; it lives with the client that others install."""

from cardcore.client.assertion import ASSERTION_TYPE, LIFE, client_assertion

__all__ = ["ASSERTION_TYPE", "LIFE", "client_assertion"]
