"""The hospital scene in HL7 FHIR R4B, at ``/fhir``: read, search, and what a hospital does.

Pure functions make resources of rows (``people``, ``places``, ``booking``, ``care``, ``billing``);
``kinds`` and ``acts`` declare what is served. See ``docs/fhir.md``.
"""
