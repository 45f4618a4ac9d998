"""Examples of hypothesis have no time limit of their own: a busy machine would break it."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
