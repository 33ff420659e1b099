# Completion of nexus for bash. Source it, or put it where bash-completion
# looks: share/bash-completion/completions/nexus.

_nexus_commands="start stop restart add rerun queue history kill remove wait
  pause resume logs attach edit config blacklist help"

# The options of a command.
_nexus_options() {
  case $1 in
    add)
      echo "-n --name -g --gpus -m --gpu-memory -p --priority -r --retries
        -t --time-limit -a --after --array --notify --json --dry-run"
      ;;
    queue | config) echo "--json" ;;
    history) echo "--json -n --limit" ;;
    logs) echo "-f --follow -n --tail" ;;
    blacklist) echo "--json -r --remove" ;;
  esac
  echo "-h --help"
}

# Jobs and what else a command may be given.
_nexus_words() {
  case $1 in
    kill) nexus __ids active ;;
    attach) nexus __ids active && echo service ;;
    remove) nexus __ids queued ;;
    logs) nexus __ids all && echo service ;;
    rerun | wait) nexus __ids all ;;
    config) echo edit && nexus __keys ;;
    help) echo "$_nexus_commands" ;;
  esac 2>/dev/null
}

_nexus() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "$_nexus_commands --why --json --help --version" \
      -- "$cur"))
    return
  fi
  if [[ $command == add ]]; then
    case $prev in
      -a | --after)
        COMPREPLY=($(compgen -W "$(nexus __ids all 2>/dev/null)" -- "$cur"))
        return
        ;;
      --notify)
        COMPREPLY=($(compgen -W "finished failed never" -- "$cur"))
        return
        ;;
    esac
  fi
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(_nexus_options "$command")" -- "$cur"))
  elif [[ $command == add ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
  else
    COMPREPLY=($(compgen -W "$(_nexus_words "$command")" -- "$cur"))
  fi
}

complete -F _nexus nexus
