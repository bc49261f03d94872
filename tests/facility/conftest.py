"""Property tests here have no time limit per example: the machine may be shared."""

from hypothesis import settings

settings.register_profile("facility", deadline=None)
settings.load_profile("facility")
