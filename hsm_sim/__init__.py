"""A hardware security module, simulated: keys go in or are born here and never come out.

Here live the interface every key user speaks (``interface``), the box itself (``simulator``),
its key ceremony, and the server and client that put it in a process of its own. Nothing of the
project is imported here: this is the lowest floor.
"""
