"""What users of HTTP clients reported as bugs, staged again: none of it happens here.

A test's docstring is the symptom in one line, as users of another client met it; the mark `reports` names the public
threads. `docs/reference/reports.rst` lists them all and is made by `make tables`.
"""
