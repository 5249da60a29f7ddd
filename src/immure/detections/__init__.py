"""Notice tokens that nobody issued: what was accepted against what was issued, and what mailboxes tell."""
