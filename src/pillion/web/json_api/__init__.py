"""The JSON API: the same view models as the pages, as JSON, and the document that describes them."""
