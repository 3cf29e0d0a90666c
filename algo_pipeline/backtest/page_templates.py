"""The templates of the HTML pages and what they may call."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from algo_pipeline.common import formatting

_FILTERS = ("percent", "number", "money", "count", "day", "minute", "hours_long", "significant")


def page_template(name: str) -> Template:
    """The template of that file name; it escapes every text it is given and refuses unknown names."""
    return _environment().get_template(name)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return template_environment("algo_pipeline.backtest")


def template_environment(*packages: str) -> Environment:
    """An environment over the folders ``templates`` of these packages, the first that has a name winning."""
    loader = ChoiceLoader([PackageLoader(package, "templates") for package in packages])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    environment.filters.update({name: getattr(formatting, name) for name in _FILTERS})
    return environment
