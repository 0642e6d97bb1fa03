"""Agents of others' making: who may play which role, what would give them orders, how their work ended.

answers.py        What a model's answer may change of our own: rank and leave out, narrow, block
charter.py        What a charter may say: refused at load, with what to do instead
compared.py       Whoever coded, side by side: what people took of it, and what it cost
context.py        What an agent is told beside its task: bounded, and others' words marked as data
crossing.py       Which lines an agent crossed in a run: somebody is to hear of it, however the run ended (§9)
hidden.py         Which files hold secrets, so that no agent's program is shown them (P8)
orders.py         What agents' programs read as their own configuration: taken out before one starts (P5, P6)
outcome.py        How an agent's work ended, told from the wire, the tree and the clock, never from its own words
special_cases.py  What of a change asks who runs it, or names the test by which it is measured
"""
