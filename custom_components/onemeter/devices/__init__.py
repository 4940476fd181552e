"""The devices of an entry: its meter, and the meters on the M-Bus of that."""
