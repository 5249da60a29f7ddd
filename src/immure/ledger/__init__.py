"""Every token that was issued, written down before it leaves (the issuance ledger)."""
