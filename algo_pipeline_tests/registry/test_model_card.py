from __future__ import annotations

from algo_pipeline.models.calibration import TRUSTED_TYPES
from algo_pipeline.registry.model_card import with_sections
from algo_pipeline_tests.models.samples import fitted
from algo_pipeline_tests.registry.samples import sample_record

CARD = "# Model\n\n## Limits\n\nMany.\n\n## Make it again\n\nSo.\n"


def test_a_card_tells_data_label_calibration_limits_and_how_to_make_it_again() -> None:
    record = sample_record(fitted("logistic", "platt"))
    for told in ("**Data**", "**Label**", "**Base rate**", "## Calibration", "## Limits", "algo-pipeline reproduce"):
        assert told in record.description
    assert record.trusted_types == TRUSTED_TYPES


def test_sections_stand_before_the_limits_in_their_order() -> None:
    card = with_sections(with_sections(CARD, {"Verdict": "Good."}), {"Gate": "Passed."})
    assert [line for line in card.splitlines() if line.startswith("## ")] == [
        *("## Verdict", "## Gate", "## Limits", "## Make it again")
    ]


def test_a_section_of_the_same_title_is_replaced_and_the_rest_kept() -> None:
    once = with_sections(CARD, {"Verdict": "Good.", "Gate": "Passed."})
    again = with_sections(once, {"Verdict": "Bad."})
    assert "Good." not in again
    assert again.count("## Verdict") == 1
    assert all(told in again for told in ("Bad.", "Passed.", "Many.", "So."))


def test_a_note_without_limits_keeps_its_text_and_gets_the_section_at_its_end() -> None:
    assert with_sections("Somebody's words.", {"Gate": "Passed."}).startswith("Somebody's words.\n\n## Gate\n\nPassed.")
