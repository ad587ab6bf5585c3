"""The curated content and everything that reads it: schema, checks, compilation into SQL, answers, search, finders.

Nothing here knows channels, conversations or users. This room imports none of the others.
"""
