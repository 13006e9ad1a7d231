"""How the team's notebooks are converted."""
c = get_config()  # noqa: F821

c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = {"private"}
c.TagRemovePreprocessor.remove_input_tags = {"no-input"}
c.ExecutePreprocessor.timeout = 120
c.HTMLExporter.embed_images = True
