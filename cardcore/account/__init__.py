"""With what: the chart of accounts, funds, funding plans, top-up. May call ``user``."""
