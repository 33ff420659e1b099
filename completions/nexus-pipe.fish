# Completion of nexus-pipe for fish: share/fish/vendor_completions.d.

function __nexus_pipe_on
    __fish_seen_subcommand_from $argv
end

function __nexus_pipe_backends
    nexus-pipe plugins --json 2>/dev/null |
        string match -rg '"plugin": "([a-z0-9-]*)"' | sort -u
end

set -l none "not __nexus_pipe_on encrypt decrypt keygen prove verify digest join inspect run devices plugins bench help"
set -l stream "__nexus_pipe_on encrypt decrypt run prove verify digest"
set -l resources "__nexus_pipe_on encrypt decrypt run prove verify digest devices"
set -l workers "__nexus_pipe_on encrypt decrypt run prove verify digest devices bench"
set -l segments "__nexus_pipe_on prove digest"
set -l passphrase "__nexus_pipe_on encrypt decrypt"

complete -c nexus-pipe -n $none -f
complete -c nexus-pipe -n $none -l version -d "Show the version and leave"
complete -c nexus-pipe -s h -l help -d "Show the options and leave"

complete -c nexus-pipe -n $none -a encrypt -d "Encrypt a stream"
complete -c nexus-pipe -n $none -a decrypt -d "Decrypt a stream"
complete -c nexus-pipe -n $none -a keygen -d "Make a key pair"
complete -c nexus-pipe -n $none -a prove -d "Prove knowledge of a stream"
complete -c nexus-pipe -n $none -a verify -d "Verify a stream of proofs"
complete -c nexus-pipe -n $none -a digest -d "Print the root without proofs"
complete -c nexus-pipe -n $none -a join -d "Put parts of a stream of proofs together"
complete -c nexus-pipe -n $none -a inspect -d "Show what a file or a stream of proofs tells"
complete -c nexus-pipe -n $none -a run -d "Run an operation of a plugin"
complete -c nexus-pipe -n $none -a devices -d "Show machine and devices"
complete -c nexus-pipe -n $none -a plugins -d "List the plugins"
complete -c nexus-pipe -n $none -a bench -d "Measure this machine"
complete -c nexus-pipe -n $none -a help -d "Show the options of a command"

# Keys.
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -s r -l recipient -x -d "Encrypt to this public key"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -s R -l recipients-file -r -d "Encrypt to the keys in a file"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -s i -l identity -r -d "Encrypt to the owner of a key"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -s p -l passphrase -d "Encrypt with a passphrase"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -s a -l armor -d "Write text instead of binary"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt" -l verify-output -x -a "sample all none" -d "Check what devices made"
complete -c nexus-pipe -n "__nexus_pipe_on decrypt" -s i -l identity -r -d "Use the secret keys in a file"
complete -c nexus-pipe -n $passphrase -l passphrase-file -r -d "First line of a file"
complete -c nexus-pipe -n $passphrase -l passphrase-fd -x -d "First line of a descriptor"
complete -c nexus-pipe -n "__nexus_pipe_on keygen" -s y -l public -d "Print public keys"

# Proofs.
complete -c nexus-pipe -n "__nexus_pipe_on prove verify" -l security -x -a "conjectured proven" -d "Profile of the proofs"
complete -c nexus-pipe -n "__nexus_pipe_on prove" -l wire -x -a "p3-0.6 p3-0.7" -d "Layout of the proofs"
complete -c nexus-pipe -n "__nexus_pipe_on prove" -l no-self-check -d "Do not verify each proof first"
complete -c nexus-pipe -n $segments -l segment-rows -x -a "256 512 1024 2048 4096 8192 16384 32768 65536 131072 262144 524288 1048576" -d "Rows of a segment"
complete -c nexus-pipe -n $segments -l first-index -x -d "Number of the first segment"
complete -c nexus-pipe -n $segments -l partial -d "A part that others follow"
complete -c nexus-pipe -n "__nexus_pipe_on digest" -l verify-output -x -a "all none" -d "Compute each digest twice"
complete -c nexus-pipe -n "__nexus_pipe_on verify" -l data -r -d "What the proofs are about"
complete -c nexus-pipe -n "__nexus_pipe_on verify" -l root -x -d "The root that is expected"
complete -c nexus-pipe -n "__nexus_pipe_on verify" -l length -x -d "The bytes that are expected"
complete -c nexus-pipe -n "__nexus_pipe_on verify" -l part -d "Accept a part of a stream"
complete -c nexus-pipe -n "__nexus_pipe_on verify" -l first-index -x -d "Number of a part's first segment"
complete -c nexus-pipe -n "__nexus_pipe_on inspect" -l extract-proof -x -d "Write one proof"
complete -c nexus-pipe -n "__nexus_pipe_on inspect" -l extract-public-values -x -d "Print what one proves"

# Operations of plugins.
complete -c nexus-pipe -n "__nexus_pipe_on run" -l set -x -d "An option of the operation"

# Input and output.
complete -c nexus-pipe -n "__nexus_pipe_on encrypt decrypt run keygen prove join inspect" -s o -l output -r -d "Write to a file"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt decrypt run prove join" -l no-sync -d "Do not wait for the disk"

# Resources.
complete -c nexus-pipe -n $workers -l max-threads -x -d "At most so many workers"
complete -c nexus-pipe -n $resources -l memory -x -d "Memory budget"
complete -c nexus-pipe -n $resources -l memory-fraction -x -d "Part of the free memory"
complete -c nexus-pipe -n $resources -l max-inflight -x -d "At most so many segments at once"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt decrypt run devices" -l segment-size -x -d "Bytes of a segment"
complete -c nexus-pipe -n $workers -l backend -x -a "(__nexus_pipe_backends)" -d "Only this plugin's devices"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt decrypt run prove verify digest devices plugins bench" -l plugin-dir -x -a "(__fish_complete_directories)" -d "Look for plugins here alone"
complete -c nexus-pipe -n $stream -l no-adapt -d "Do not follow the load of the machine"
complete -c nexus-pipe -n $stream -l policy -x -a "lect threshold round-robin" -d "Choice of device"
complete -c nexus-pipe -n $stream -l gpu-threshold -x -d "Segments from this size on are large"
complete -c nexus-pipe -n $stream -l io -x -a "auto uring threads" -d "How files are read and written"

# Isolation.
complete -c nexus-pipe -n $stream -l isolate -x -a "none gpu all" -d "Devices in processes of their own"
complete -c nexus-pipe -n $stream -l worker-memory -x -d "Memory of each such process"
complete -c nexus-pipe -n $stream -l affinity -x -d "Processors that they may use"
complete -c nexus-pipe -n $stream -l nice -x -d "Their niceness"
complete -c nexus-pipe -n $stream -l ionice -x -a "idle best-effort:4 realtime:4" -d "Their I/O priority"

# Watching.
complete -c nexus-pipe -n $stream -l headless -d "Draw and ask nothing"
complete -c nexus-pipe -n $stream -l dashboard -d "Show the run on the whole terminal"
complete -c nexus-pipe -n $stream -l log-format -x -a "text json" -d "Form of the log"
complete -c nexus-pipe -n $stream -l log-file -r -d "Append the log to a file"
complete -c nexus-pipe -n $stream -l stats -d "Lines of JSON"
complete -c nexus-pipe -n $stream -l metrics -r -d "Serve or write metrics"
complete -c nexus-pipe -n $stream -l trace -r -d "Write a trace"

# Measuring.
complete -c nexus-pipe -n "__nexus_pipe_on bench" -l op -x -a "encrypt decrypt prove verify digest" -d "Measure this operation"
complete -c nexus-pipe -n "__nexus_pipe_on bench" -l dir -x -a "(__fish_complete_directories)" -d "Measure the disk of this directory"
complete -c nexus-pipe -n "__nexus_pipe_on bench" -l quick -d "Fewer and shorter runs"
complete -c nexus-pipe -n "__nexus_pipe_on bench" -l size -x -d "Bytes of one run"
complete -c nexus-pipe -n "__nexus_pipe_on bench" -l repeat -x -d "Runs that a median is of"

# Output of other kinds.
complete -c nexus-pipe -n $stream -l progress -x -a "auto always never" -d "When to show progress"
complete -c nexus-pipe -n "__nexus_pipe_on encrypt decrypt run prove verify digest bench" -s q -l quiet -d "Nothing but errors"
complete -c nexus-pipe -n $stream -s v -l verbose -d "Say what was done, and how"
complete -c nexus-pipe -n "__nexus_pipe_on verify digest inspect devices plugins bench" -l json -d "Print one JSON object"
complete -c nexus-pipe -n "__nexus_pipe_on bench" -l report -r -d "Write an HTML page with charts"
complete -c nexus-pipe -n "__nexus_pipe_on plugins" -l why -d "Tell why a plugin was not loaded"
