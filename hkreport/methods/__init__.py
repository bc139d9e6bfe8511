"""Pure estimates: arrays in, named records out; nothing here reads a file or knows a report."""
