"""What is shared with colleagues through a remote of DVC: what belongs to a corpus, how it is sent, how it is taken."""
