"""An extension of the Jupyter server with pages of the team's own."""
from .handlers import pages


def _jupyter_server_extension_points():
    return [{"module": "team_hub"}]


def _load_jupyter_server_extension(serverapp):
    base = serverapp.web_app.settings["base_url"].rstrip("/")
    serverapp.web_app.add_handlers(".*$", pages(base))
    serverapp.log.info("team_hub is ready at %s/team", base)
