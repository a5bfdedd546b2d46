"""rayfix with another configuration for the time of a story."""

from server import server


def with_configuration(story, **sections):
    """Ends when the story does. Killed, not stopped: a stop serves on for ten seconds."""
    server().kill()
    story.addCleanup(server().start)
    story.addCleanup(server().kill)
    server().start({"apiVersion": "rayfix.io/v1alpha1", "kind": "Configuration", **sections})
