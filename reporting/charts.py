"""Charts of our pages: SVG without scripts, in the page's own colours."""

from typing import Any

from markupsafe import Markup

_STYLE = {
    "background": "transparent",
    "plot_background": "transparent",
    "foreground": "currentColor",
    "foreground_strong": "currentColor",
    "foreground_subtle": "currentColor",
    "colors": ("#3f7fd6", "#d9822b", "#c2293a"),
    "font_family": "inherit",
    "label_font_size": 18,
    "major_label_font_size": 18,
    "legend_font_size": 18,
}
_OPTIONS: dict[str, Any] = {
    "js": (),
    "height": 320,
    "width": 720,
    "margin": 6,
    "margin_right": 40,
    "legend_at_bottom": True,
    "legend_at_bottom_columns": 3,
    "truncate_legend": -1,
    "truncate_label": -1,
    "show_x_guides": False,
}


def chart_options() -> dict[str, Any]:
    """For any kind of chart; the library is imported by who draws."""
    from pygal.style import Style  # noqa: PLC0415

    return _OPTIONS | {"style": Style(**_STYLE)}


def drawn(chart: Any) -> Markup:
    """As SVG to stand in a page."""
    chart.add_xml_filter(_without_scripts)
    return Markup(chart.render(is_unicode=True, disable_xml_declaration=True))  # noqa: S704  # numbers and our words


def _without_scripts(root: Any) -> Any:
    """The library's tooltips need scripts; a page that is read from a mail or an archive has none."""
    for parent in list(root.iter()):
        for child in list(parent):
            if isinstance(child.tag, str) and child.tag.endswith("script"):
                parent.remove(child)
    return root
