"""OneMeter: electricity meters, read through an optical probe."""
