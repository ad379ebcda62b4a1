"""What the scripts on top share. Nothing in here imports one of them, and imports point down: report, model, runs,
then scoring and corpus, then the modules beside this one."""
