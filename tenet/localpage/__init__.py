"""Web pages that this machine serves to this machine: who may talk to them, and how they are started."""
