"""The HTTP face of the core: OpenAPI 3.1 under ``/v1``, problems, access, idempotency, metrics.

What a request passes: ``door`` (request id, log line, metrics, headers) → ``operation`` (token,
strict JSON, idempotency key) → one file per noun (``orders``, ``users`` …) → the core's service.
Nothing here knows the ledger or the codes; statuses are given in ``problems`` alone.
"""
