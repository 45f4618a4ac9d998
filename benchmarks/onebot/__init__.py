"""What an event and an action of OneBot cost: ``python -m benchmarks.onebot``."""
