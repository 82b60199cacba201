#compdef imprint
# imprint's completion for zsh: eval "$(imprint completion zsh)", for instance in ~/.zshrc, after compinit
_imprint() {
  local -a found open closed
  found=("${(@f)$(command imprint completion line "${(j: :)words[1,CURRENT]}" 2> /dev/null)}")
  found=(${found:#})
  open=(${(M)found:#*[=./]})
  closed=(${found:#*[=./]})
  if (( ! $#found )); then _files; return; fi
  (( $#open )) && compadd -Q -S '' -- $open
  (( $#closed )) && compadd -Q -- $closed
}
compdef _imprint imprint
