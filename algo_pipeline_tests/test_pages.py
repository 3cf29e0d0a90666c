"""How pages are read by tests, and how commands are written into them."""

from __future__ import annotations

import pytest

from algo_pipeline_tests.command_reference import command_names, overview, reference
from algo_pipeline_tests.pages import Fence, fences, rows, section

PAGE = """# Title

```python title="part.py"
print(1)
```

```text
1
```

Words between.

```text
alone
```

## One

| a | b |
| --- | --- |
| `x` | y \\| z |

### Below one

text

## Two
"""


def test_a_text_block_directly_below_another_is_its_output() -> None:
    first, output, alone = fences(PAGE)
    assert first == Fence("python", "part.py", "print(1)\n", "1\n")
    assert (output.output, alone.output) == (None, None)


def test_a_section_ends_at_the_next_heading_of_its_level_or_above() -> None:
    assert section(PAGE, "One").rstrip().endswith("text")
    assert "Two" not in section(PAGE, "One")
    assert "text" in section(PAGE, "Below one")
    with pytest.raises(KeyError, match="Three"):
        section(PAGE, "Three")


def test_rows_are_the_bodies_of_tables_with_escaped_bars_kept() -> None:
    assert rows(section(PAGE, "One")) == [["`x`", "y \\| z"]]


def test_every_command_is_in_the_overview_and_has_a_section() -> None:
    assert command_names()[0] == "research"
    for name in command_names():
        assert f"(#algo-pipeline-{name})" in overview()
        assert f"### `algo-pipeline {name}`\n" in reference()


def test_choices_and_defaults_of_an_option_break_no_cell_and_make_no_link() -> None:
    cells = [row for row in rows(reference()) if row[0].startswith("`--source")]
    assert cells[0][0] == "`--source {binance, alpaca, file, simulated}`"
    assert all(len(row) == 2 and "[" not in row[1] for row in rows(reference()))
