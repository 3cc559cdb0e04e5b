"""The doors for programs: one file a dialect; each decodes, asks the gateway once, and encodes."""
