"""The web application: the page with the chat, the chat's HTTP API, health."""
