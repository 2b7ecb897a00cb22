"""The gate: measure a candidate beside its reference, judge it, approve it, judge a saved run again."""
