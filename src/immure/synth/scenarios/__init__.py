"""Days of an issuer and its relying parties, with and without thieves, and what is true of each token."""
