# Completion of nexus-pipe for bash. Source it, or put it where bash-completion
# looks: share/bash-completion/completions/nexus-pipe.

# The words of the command line that may follow a command.
_nexus_pipe_options() {
  local resources="--max-threads --memory --memory-fraction --max-inflight
    --backend --plugin-dir"
  local isolation="--isolate --worker-memory --affinity --nice --ionice"
  local watching="--headless --dashboard --log-format --log-file --stats --metrics --trace"
  local running="$resources --no-adapt --policy --gpu-threshold --io $isolation
    $watching --progress -q --quiet -v --verbose"
  local output="-o --output --no-sync"
  local stream="$output --segment-size $running"
  local segments="--segment-rows --first-index --partial"
  local passphrase="--passphrase-file --passphrase-fd"
  case $1 in
    encrypt)
      echo "-r --recipient -R --recipients-file -i --identity -p --passphrase
        $passphrase -a --armor --verify-output $stream"
      ;;
    decrypt) echo "-i --identity $passphrase $stream" ;;
    keygen) echo "-o --output -y --public" ;;
    prove)
      echo "--security --wire --no-self-check $segments $output $running"
      ;;
    verify)
      echo "--data --root --length --security --part --first-index --json
        $running"
      ;;
    digest) echo "--json --verify-output $segments $running" ;;
    join) echo "$output" ;;
    inspect)
      echo "--json --extract-proof --extract-public-values -o --output"
      ;;
    devices) echo "--json --segment-size $resources" ;;
    plugins) echo "--why --json --plugin-dir" ;;
    bench)
      echo "--op --backend --max-threads --plugin-dir --dir --quick --size
        --repeat --report --json -q --quiet"
      ;;
    run) echo "--set $stream" ;;
  esac
  echo "-h --help"
}

_nexus_pipe() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "encrypt decrypt keygen prove verify digest join
      inspect run devices plugins bench help --help --version" -- "$cur"))
    return
  fi
  case $prev in
    -o | --output | -i | --identity | -R | --recipients-file | \
      --passphrase-file | --data | --log-file | --metrics | --trace | \
      --report)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return
      ;;
    --plugin-dir | --dir)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$cur")
      return
      ;;
    --op)
      COMPREPLY=($(compgen -W "encrypt decrypt prove verify digest" -- "$cur"))
      return
      ;;
    --policy)
      COMPREPLY=($(compgen -W "lect threshold round-robin" -- "$cur"))
      return
      ;;
    --io)
      COMPREPLY=($(compgen -W "auto uring threads" -- "$cur"))
      return
      ;;
    --isolate)
      COMPREPLY=($(compgen -W "none gpu all" -- "$cur"))
      return
      ;;
    --ionice)
      COMPREPLY=($(compgen -W "idle best-effort realtime" -- "$cur"))
      return
      ;;
    --verify-output)
      local checks="all none"
      [[ $command == encrypt ]] && checks="sample $checks"
      COMPREPLY=($(compgen -W "$checks" -- "$cur"))
      return
      ;;
    --security)
      COMPREPLY=($(compgen -W "conjectured proven" -- "$cur"))
      return
      ;;
    --wire)
      COMPREPLY=($(compgen -W "p3-0.6 p3-0.7" -- "$cur"))
      return
      ;;
    --segment-rows)
      COMPREPLY=($(compgen -W "256 512 1024 2048 4096 8192 16384 32768 65536
        131072 262144 524288 1048576" -- "$cur"))
      return
      ;;
    --log-format)
      COMPREPLY=($(compgen -W "text json" -- "$cur"))
      return
      ;;
    --progress)
      COMPREPLY=($(compgen -W "auto always never" -- "$cur"))
      return
      ;;
    --backend)
      COMPREPLY=($(compgen -W "$(nexus-pipe plugins --json 2>/dev/null |
        sed -n 's/^ *"plugin": "\([a-z0-9-]*\)",$/\1/p' | sort -u)" -- "$cur"))
      return
      ;;
    -r | --recipient | --passphrase-fd | --max-threads | --memory | \
      --memory-fraction | --max-inflight | --segment-size | --gpu-threshold | \
      --worker-memory | --affinity | --nice | \
      --set | --first-index | --root | --length | --extract-proof | \
      --extract-public-values | --size | --repeat)
      return
      ;;
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(_nexus_pipe_options "$command")" -- "$cur"))
  elif [[ $command == help ]]; then
    COMPREPLY=($(compgen -W "encrypt decrypt keygen prove verify digest join
      inspect run devices plugins bench" -- "$cur"))
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  fi
}

complete -F _nexus_pipe nexus-pipe
