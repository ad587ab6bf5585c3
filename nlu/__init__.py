"""Understanding: language, tokens, entities, topic, urgency and the decision what to do; training examples; the evaluation.

The algorithms are plain classes (`languages`, `topics`, `urgency`, …) that do not know Rasa; `components/` are the thin Rasa graph
components around them. No answers live here.
"""
