"""The gate measured as an instrument: false alarms and power, from recorded launches."""
