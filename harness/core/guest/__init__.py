"""What a guest says on its serial line: lines, records, test results, complaints, last words."""
