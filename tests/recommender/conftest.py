"""Settings of the property tests in this folder."""

from hypothesis import settings

# The first example pays for imports and a busy machine for the rest: time is no property here.
settings.register_profile("recommender", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("recommender")
