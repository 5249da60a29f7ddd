"""Where findings are sent: a file, a webhook, syslog."""
