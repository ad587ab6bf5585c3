"""Rasa graph components: defaults, create, train, process, load and nothing else. The algorithms stand one folder up."""
