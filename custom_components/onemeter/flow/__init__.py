"""The dialogs in which a meter is set up, changed, and its options are chosen."""
