"""Compare the CPU time that HTTP clients spend on a request: ``python -m benchmarks``."""
