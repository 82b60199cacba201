# imprint's completion for bash: eval "$(imprint completion bash)", for instance in ~/.bashrc
_imprint() {
  local line="${COMP_LINE:0:COMP_POINT}" found word said=""
  word="${line##* }"
  # bash takes what follows = for a word of its own.
  if [[ $word == *=* && $COMP_WORDBREAKS == *=* ]]; then said="${word%"${word##*=}"}"; fi
  COMPREPLY=()
  while IFS= read -r found; do
    if [[ -n $found ]]; then COMPREPLY+=("${found#"$said"}"); fi
  done < <(command imprint completion line "$line" 2> /dev/null)
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=./] ]]; then compopt -o nospace; fi
}
complete -o bashdefault -o default -F _imprint imprint
