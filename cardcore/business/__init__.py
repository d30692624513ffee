"""For what: merchants, quotes, orders, refunds, explanations. May call ``account`` and ``user``."""
