"""Images for training: `config.py` says which, `sources/` read them, `store.py` keeps them decoded for all workers."""
