"""A hardware security module, simulated: keys go in or are born here and never come out.

| what | where |
|---|---|
| the calls every key user speaks | ``interface`` |
| one key and its algorithm; cards, PINs, key blocks | ``keys``, ``card``, ``pin_block``, … |
| the box, one caller's session, the key ceremony | ``simulator``, ``session``, ``ceremony`` |
| what lies on disk: sealed key file, audit log, folder | ``key_file``, ``audit``, ``home`` |
| the box in a process of its own | ``wire``, ``server``, ``client``, ``process`` |

Nothing of the project is imported here: this is the lowest floor. ``docs/hsm.md`` tells operators
what is simulated and what is not.
"""
