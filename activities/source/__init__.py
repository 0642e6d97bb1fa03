"""Sources at work (runbook §5).

kept_readings.py  What is known of a source over time: each answer that was graded, by hand, in a trial or in a run
kept_trials.py    Trials of a target's sources, kept with each source: begun once, closed by their report
reading.py        One answer of a source: recorded, read, compared with its baseline, graded
recording.py      What a run uses of its target's sources, recorded by Sensing
scouting.py       Scout and Planning of a source expansion: who could be tried, and the one that is
trying.py         Integrator and Source QA of a source expansion: fetched, replayed, compared, judged
"""
