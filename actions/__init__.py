"""Rasa's custom actions: each reads slots, asks `knowledge` and gives back a reply as data.

No SQL, no HTTP and no sentence stands here: words come from the content, delivery is the business of `bot`.
Rasa's action server (`rasa run actions`) finds the classes below by importing this package.
"""

from actions.answer import ActionAnswer, ActionUrgent
from actions.clarify import ActionClarify, ActionLost
from actions.data import ActionDeleteMyData, ActionPrivacy
from actions.desks import ActionDesks
from actions.follow_ups import ActionMore, ActionSources, ActionWhoHelps
from actions.language import ActionChangeLanguage, ActionLanguage
from actions.measures import ActionMeasures
from actions.menu import ActionAffirm, ActionArea, ActionDeny, ActionGreet, ActionHuman, ActionMenu

__all__ = [
    "ActionAffirm",
    "ActionAnswer",
    "ActionArea",
    "ActionChangeLanguage",
    "ActionClarify",
    "ActionDeleteMyData",
    "ActionDeny",
    "ActionDesks",
    "ActionGreet",
    "ActionHuman",
    "ActionLanguage",
    "ActionLost",
    "ActionMeasures",
    "ActionMenu",
    "ActionMore",
    "ActionPrivacy",
    "ActionSources",
    "ActionUrgent",
    "ActionWhoHelps",
]
