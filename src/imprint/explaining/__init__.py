"""What a user can ask about the configuration: help for verbs, groups, choices and settings, and what TAB completes."""
