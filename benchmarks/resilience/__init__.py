"""What the middlewares do on bad days: simulated, so that every figure repeats exactly.

A simulated server stands at the end of a real session, as an `aioclient.Transport`; time is the virtual clock's, chance
comes from seeds.

    python -m benchmarks.resilience            print the figures
    python -m benchmarks.resilience --plot     and make the pictures of the docs anew (needs matplotlib)
"""
