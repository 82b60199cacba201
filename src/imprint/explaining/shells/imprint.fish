# imprint's completion for fish: imprint completion fish | source, for instance in ~/.config/fish/config.fish
function __imprint_words
    command imprint completion line (commandline --cut-at-cursor --current-process | string collect) 2>/dev/null
    or __fish_complete_path (commandline --current-token)
end
complete --command imprint --no-files --arguments '(__imprint_words)'
