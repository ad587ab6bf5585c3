"""The service: settings, web application, channels, the durable way of a message, conversations, the command line.

Nothing here knows rights: what is said comes from `actions` and `knowledge`, what was meant from `nlu`.
"""
