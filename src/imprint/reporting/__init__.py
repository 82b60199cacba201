"""Where progress and results of runs are shown: local files, trackers, the terminal, report pages, scoreboards."""
