"""How a report looks: pages, terminal output, JSON Schemas. Judges nothing.

charts.py              Charts of our pages: SVG without scripts, in the page's own colours
dashboard_markdown.py  The dashboard ticket: how a target stands, as Markdown in which nothing foreign acts
governance_html.py     The governance review as one page, with charts
incident_markdown.py   ``post_incident_report.md``: the seven parts of runbook §12 for people
run_report_html.py     A run's report as one page: no script, no network, nothing outside the file
run_report_text.py     A run's report in a terminal
schemas.py             The JSON Schemas of all artifacts: ``python -m reporting.schemas`` writes them
source_html.py         A source as one page: its state, its metrics over time
source_trial_html.py   A source's trial as one page: metrics by fetch, differences, every gate
wording.py             The words, tones and shown forms that the page and the terminal share
"""
