"""Pages of the documentation site that stand beside ``docs/`` in the repository: MkDocs calls these functions.

Links lead to them, and from them, as they do on the repository's host.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

NAMES = ("CHANGELOG.md", "CONTRIBUTING.md")
_ROOT = Path(__file__).parents[1]
_FROM_DOCS = re.compile(r"\]\(\.\./((?:\.\./)*)(" + "|".join(map(re.escape, NAMES)) + ")")
_FROM_ROOT = re.compile(r"\]\((" + "|".join(map(re.escape, NAMES)) + ")")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, under names in lower case as the others have."""
    for name in NAMES:
        text = (_ROOT / name).read_text("utf-8").replace("](docs/", "](")
        text = _FROM_ROOT.sub(lambda found: f"]({found[1].lower()}", text)
        files.append(File.generated(config, name.lower(), content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to them stay in the site."""
    return _FROM_DOCS.sub(lambda found: f"]({found[1]}{found[2].lower()}", markdown)
