"""Response: from a key that was found or is suspected to every affected customer told the truth."""
