"""Pages of results: templates that are filled to one HTML file without outside references."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from spine_fracture.evaluation.statistics.intervals import Estimate

#: Where a cell has nothing to say.
NOTHING = "-"


def page(template: str, **values: object) -> str:
    """The template of this name, filled. Values are escaped."""
    environment = Environment(
        loader=PackageLoader("spine_fracture.evaluation.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "value": value,
        "between": between,
        "signed": signed,
        "plus": plus,
        "plus_between": plus_between,
        "p": p_value,
        "words": words,
        "of_unit": of_unit,
        "between_of_unit": between_of_unit,
    }
    return environment.get_template(template).render(**values)


def value(estimate: Estimate | None) -> str:
    """Its value alone."""
    return NOTHING if estimate is None else f"{estimate.value:.3f}"


def between(estimate: Estimate | None) -> str:
    """Its interval alone, where it has one."""
    if estimate is None or not estimate.has_interval:
        return ""
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def of_unit(estimate: Estimate | None, percent: bool) -> str:
    """The value as a share, or in per cent."""
    return value(estimate) if estimate is None or not percent else f"{100 * estimate.value:.1f}"


def between_of_unit(estimate: Estimate, percent: bool) -> str:
    """The interval as shares, or in per cent, where there is one."""
    if not percent or not estimate.has_interval:
        return between(estimate)
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def signed(estimate: Estimate | None) -> str:
    """A difference, its interval in brackets."""
    interval = plus_between(estimate)
    return f"{plus(estimate)} ({interval})" if interval else plus(estimate)


def plus(estimate: Estimate | None) -> str:
    """The value of a difference alone."""
    return NOTHING if estimate is None else _plus(estimate.value)


def plus_between(estimate: Estimate | None) -> str:
    """The interval of a difference alone, where it has one."""
    if estimate is None or not estimate.has_interval:
        return ""
    return f"{_plus(estimate.low)} to {_plus(estimate.high)}"


def _plus(number: float) -> str:
    return f"{round(number, 3) + 0.0:+.3f}"  # + 0.0 makes +0.000 of what would be -0.000


def p_value(p: float | None) -> str:
    """As journals print it."""
    return NOTHING if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def words(name: object) -> str:
    """A name of ours in words."""
    return str(name).replace("_", " ")
