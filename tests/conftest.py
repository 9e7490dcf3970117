"""Settings that all tiers share."""

from hypothesis import settings

# A busy machine is no failure: examples are bounded in number, not in time.
settings.register_profile("duravip", deadline=None)
settings.load_profile("duravip")

pytest_plugins = ["lab_logs"]
