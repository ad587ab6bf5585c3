"""Messengers: each is one module that parses what comes in, renders replies and sends them, and knows no topics.

What they have in common stands beside them: how a message is received (`reception`), how replies go out (`delivery`), what a
channel has to be (`port`), which are set up (`registry`). The page and its API are `bot.web`.
"""
