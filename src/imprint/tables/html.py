"""Tables as HTML, and the Jinja environment of whole pages, which escapes all values."""

from functools import cache
from itertools import groupby
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from imprint.tables.table import Table, clean


def page_environment(package: str) -> Environment:
    """For the templates of a package, and those of tables. `table | html` is a table inside a page."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("imprint.tables")]),
        autoescape=True,
        finalize=lambda value: clean(value, keep="\n\t") if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["html"] = html
    return environment


def html(table: Table, *, is_sortable: bool = False, css_class: str = "board") -> str:
    """Markup. References have a place of their own below the others, where they are not sorted."""
    compared = [row for row in table.rows if not row.is_reference]
    groups = [(name, len(list(columns))) for name, columns in groupby(column.group for column in table.columns)]
    markup: str = _macros().table(
        table,
        body=compared or table.rows,
        foot=[row for row in table.rows if row.is_reference] if compared else [],
        groups=groups if len({name for name, _ in groups} - {""}) > 1 else [],
        is_sortable=is_sortable,
        css_class=css_class,
    )
    return markup


@cache
def _macros() -> Any:
    return page_environment("imprint.tables").get_template("table.html.j2").module
