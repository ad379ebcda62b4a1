"""The code that the commands share. Nothing in here imports a command. A room imports only from the rooms after it in
this list: report, training, tagging, encoder, runs, corpus, scoring, then the modules in this folder itself."""
