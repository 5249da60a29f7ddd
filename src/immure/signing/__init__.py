"""The signing system: issuers, their keys, and the tokens that they sign."""
