"""Charges decided after the business: a scene prices a person's day late, the core books it.

A charge becomes an order, giving back becomes refunds of the orders it concerns: nothing is edited,
and statements, bills, disputes and explanations know no third thing. Everything is set-based: one
call books some thousand people. ``charge`` has the values, ``facts`` what they are compared with,
``deciding`` the pure rules, ``rows`` what is written, ``writer`` the one call.
"""
