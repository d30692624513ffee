"""Settlement: from what merchants were paid in the books to money on their bank accounts.

Windows cut the ledger into ranges (``windows``), fees and shares are booked as transfers
(``fees``, ``net``, ``booking``), the custodian bank is told to pay (``payouts``), every merchant
gets a signed file (``files``), and three books are compared (``reconciliation``). It may call the
rooms of the core; the platform may call it. See docs/settlement.md.
"""
