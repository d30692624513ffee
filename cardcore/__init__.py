"""The uniform user-account-business service: the only thing a scene may talk to.

Three rooms with the words of the API: ``user`` (who), ``account`` (with what), ``business``
(for what); business may call account, account may call user, never back. ``service`` is the
front door, ``ports`` names what this floor needs from outside.
"""
