# Completion of nexus-pipe for fish: share/fish/vendor_completions.d.

function __nexus_pipe_on
    __fish_seen_subcommand_from $argv
end

function __nexus_pipe_backends
    nexus-pipe plugins --json 2>/dev/null |
        string match -rg '"plugin": "([a-z0-9-]*)"' | sort -u
end

set -l none "not __nexus_pipe_on encrypt decrypt keygen inspect run devices plugins help"
set -l stream "__nexus_pipe_on encrypt decrypt run"
set -l resources "__nexus_pipe_on encrypt decrypt run devices"
set -l passphrase "__nexus_pipe_on encrypt decrypt"

complete -c nexus-pipe -n $none -f
complete -c nexus-pipe -n $none -l version -d "Show the version and leave"
complete -c nexus-pipe -s h -l help -d "Show the options and leave"

complete -c nexus-pipe -n $none -a encrypt -d "Encrypt a stream"
complete -c nexus-pipe -n $none -a decrypt -d "Decrypt a stream"
complete -c nexus-pipe -n $none -a keygen -d "Make a key pair"
complete -c nexus-pipe -n $none -a inspect -d "Show what a file tells without a key"
complete -c nexus-pipe -n $none -a run -d "Run an operation of a plugin"
complete -c nexus-pipe -n $none -a devices -d "Show machine and devices"
complete -c nexus-pipe -n $none -a plugins -d "List the plugins"
complete -c nexus-pipe -n $none -a help -d "Show the options of a command"

# Keys.
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -s r -l recipient -x -d "Encrypt to this public key"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -s R -l recipients-file -r -d "Encrypt to the keys in a file"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -s i -l identity -r -d "Encrypt to the owner of a key"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -s p -l passphrase -d "Encrypt with a passphrase"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -s a -l armor -d "Write text instead of binary"
complete -c nexus-pipe -n "__nexus_pipe_on decrypt" -s i -l identity -r -d "Use the secret keys in a file"
complete -c nexus-pipe -n $passphrase -l passphrase-file -r -d "First line of a file"
complete -c nexus-pipe -n $passphrase -l passphrase-fd -x -d "First line of a descriptor"
complete -c nexus-pipe -n "__nexus_pipe_on keygen" -s y -l public -d "Print public keys"

# Operations of plugins.
complete -c nexus-pipe -n "__nexus_pipe_on run" -l set -x -d "An option of the operation"

# Input and output.
complete -c nexus-pipe -n "__nexus_pipe_on encrypt decrypt run keygen" -s o -l output -r -d "Write to a file"
complete -c nexus-pipe -n $stream -l no-sync -d "Do not wait for the disk"

# Resources.
complete -c nexus-pipe -n $resources -l max-threads -x -d "At most so many workers"
complete -c nexus-pipe -n $resources -l memory -x -d "Memory budget"
complete -c nexus-pipe -n $resources -l memory-fraction -x -d "Part of the free memory"
complete -c nexus-pipe -n $resources -l max-inflight -x -d "At most so many segments at once"
complete -c nexus-pipe -n $resources -l segment-size -x -d "Bytes of a segment"
complete -c nexus-pipe -n $resources -l backend -x -a "(__nexus_pipe_backends)" -d "Only this plugin's devices"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt decrypt run devices plugins" -l plugin-dir -x -a "(__fish_complete_directories)" -d "Look for plugins here alone"
complete -c nexus-pipe -n $stream -l policy -x -a "lect threshold round-robin" -d "Choice of device"
complete -c nexus-pipe -n $stream -l gpu-threshold -x -d "Segments from this size on are large"
complete -c nexus-pipe -n $stream -l io -x -a "auto uring threads" -d "How files are read and written"

# Output of other kinds.
complete -c nexus-pipe -n $stream -l progress -x -a "auto always never" -d "When to show progress"
complete -c nexus-pipe -n $stream -s q -l quiet -d "Nothing but errors"
complete -c nexus-pipe -n $stream -s v -l verbose -d "Say what was done, and how"
complete -c nexus-pipe -n "__nexus_pipe_on inspect devices plugins" -l json -d "Print one JSON object"
complete -c nexus-pipe -n "__nexus_pipe_on plugins" -l why -d "Tell why a plugin was not loaded"
