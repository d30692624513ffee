"""Web pages in a person's hand: the citizen's code, and what else is a folder of ``web/src``.

``web/`` holds the TypeScript sources and their own tests, ``build`` turns them into ``built/`` with
Node, ``routes`` serves that folder with a policy under which nothing but our own files runs. The
pages talk to ``/v1`` like anybody else; nothing of the core is imported here.
"""
