"""Methods applied to one report: its slice in, records with frames, words and refusals out."""
