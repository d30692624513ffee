"""Hospital (医院): registering for a visit, and paying for it with the insurer's share apart.

Pure rules: ``slots`` and ``registration_rules`` (挂号), ``queue`` (who is called next), ``split``
(who pays which fen), ``messages`` (the national insurance interface), ``payment_states`` and
``refund_states`` (what may become of a payment, step by step), ``differences`` (three books
compared). ``gateway`` is what the scene needs of the insurer, ``insurer`` speaks through it.
``tables`` and the ``*_store`` modules keep rows; ``registrations``, ``payments``, ``refunds``,
``deposits`` and ``reconciliation`` do things; ``service`` is the front door, ``duties`` what falls
due by itself. ``pricing`` is what ``cardcore`` calls. Money moves through ``cardcore`` alone.
"""
