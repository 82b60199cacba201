"""Settings of Sphinx; docs/generate.py makes what it reads. Nothing in the built pages is fetched from elsewhere."""

project = "imprint"
copyright = "the imprint contributors"
extensions = ["myst_parser"]
myst_enable_extensions = ["attrs_block"]
myst_heading_anchors = 3
root_doc = "index"
highlight_language = "text"  # of what says no language: commands
suppress_warnings = [
    "misc.highlighting_failure",  # commands, with braces and brackets of their own
    "myst.header",  # a report may begin anywhere
]
html_theme = "furo"
html_title = "imprint"
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["style"]
html_css_files = ["imprint.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#8a3d12",
        "color-brand-content": "#8a3d12",
        "code-font-size": "76%",
    },
    "dark_css_variables": {"color-brand-primary": "#f0a36b", "color-brand-content": "#f0a36b"},
}
pygments_style = "friendly"
pygments_dark_style = "native"
