"""Rasa's custom actions: each reads slots, asks `knowledge` and gives back a reply as data.

No SQL, no HTTP and no sentence stands here: words come from the content, delivery is the business of `bot`. Rasa's action
server (`rasa run actions`) and `bot.assistant` find the actions in the modules of this package; importing the package alone
brings none of them, so that a reply can be read without Rasa.
"""
