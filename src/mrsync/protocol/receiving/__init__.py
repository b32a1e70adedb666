"""How a catcher takes part: find its session, put pages together, report what is missing, pass pages on."""
