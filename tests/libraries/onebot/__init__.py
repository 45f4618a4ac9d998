"""Applications and implementations of OneBot 12 by others, as peers of ``aioclient.onebot``.

They have an environment of their own. Each peer runs unchanged, in a process of its own: a bot of NoneBot 2 or of
AliceBot, which are applications, and an implementation of pylibob. They report to the test what happened there.
"""
