"""Variables that look like settings and are none are named."""

from duravip_runtime.settings import unknown_variables


def test_what_sets_nothing_is_named_and_what_sets_something_is_not() -> None:
    given = ["PATH", "DURAVIP_MATUR", "DURAVIP_MATURE", "DURAVIP_fencing", "DURAVIP_A"]
    said = unknown_variables(given, ["mature", "fencing"])
    assert said == "ignored, for there is no such setting: DURAVIP_A, DURAVIP_MATUR"
    assert unknown_variables(["DURAVIP_MATURE", "HOME"], ["mature"]) == ""
