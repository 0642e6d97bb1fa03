"""The gateway: the only way to a model, for every backend (``ports/models.py``).

gateway.py      Open while it is entered: HTTP on a unix socket, to the agent's side
exchanging.py   One exchange: judged, reserved, sent up, tried again, settled, recorded
asked.py        What a request may hold: the charter's models, a limit, nothing that reaches beyond the exchange
input_bound.py  How many tokens a request can be read as at most, by bytes and by what was counted before
dialects.py     Chat completions, responses, messages: one row each, and how their answers are read
upstream.py     One try over the wire: TLS checked, no redirect, a deadline
prices.py       What tokens cost: the charter's table, then the list that is installed
transcript.py   What was said, capped, without secrets
"""
