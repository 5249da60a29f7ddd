"""Interfaces of other libraries, with key scope behind them."""
