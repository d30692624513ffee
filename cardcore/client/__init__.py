"""The typed client of the HTTP face, for systems run by others; needs no database.

It may use the request and view models of the core, and nothing that books, keeps or signs for it.
"""
