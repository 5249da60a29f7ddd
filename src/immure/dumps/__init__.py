"""Memory images: what they are, and one parser per format."""
