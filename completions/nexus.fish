# Completion of nexus for fish: share/fish/vendor_completions.d.

function __nexus_on
    __fish_seen_subcommand_from $argv
end

set -l none "not __nexus_on start stop restart add rerun queue history kill remove wait pause resume logs attach edit config blacklist help"

complete -c nexus -n "not __nexus_on add" -f
complete -c nexus -n $none -l version -d "Show the version and leave"
complete -c nexus -n $none -l why -d "Say why a GPU is not available, why jobs wait"
complete -c nexus -n $none -l json -d "Print the status as JSON"
complete -c nexus -s h -l help -d "Show the options and leave"

complete -c nexus -n $none -a start -d "Start the service"
complete -c nexus -n $none -a stop -d "Stop the service and all running jobs"
complete -c nexus -n $none -a restart -d "Restart the service; running jobs go on"
complete -c nexus -n $none -a add -d "Add a job to the queue"
complete -c nexus -n $none -a rerun -d "Add a job again, as it was"
complete -c nexus -n $none -a queue -d "Show pending jobs"
complete -c nexus -n $none -a history -d "Show completed jobs"
complete -c nexus -n $none -a kill -d "Kill running jobs"
complete -c nexus -n $none -a remove -d "Remove jobs from the queue"
complete -c nexus -n $none -a wait -d "Wait until jobs have ended"
complete -c nexus -n $none -a pause -d "Pause the queue"
complete -c nexus -n $none -a resume -d "Resume the queue"
complete -c nexus -n $none -a logs -d "View the logs of a job"
complete -c nexus -n $none -a attach -d "Attach to the session of a job"
complete -c nexus -n $none -a edit -d "Open jobs.txt in your editor"
complete -c nexus -n $none -a config -d "Show or change config.toml"
complete -c nexus -n $none -a blacklist -d "GPUs that are left alone"
complete -c nexus -n $none -a help -d "Show help, of a command in detail"

complete -c nexus -n "__nexus_on add" -s n -l name -x -d "A name to know it by"
complete -c nexus -n "__nexus_on add" -s g -l gpus -x -d "How many GPUs"
complete -c nexus -n "__nexus_on add" -s m -l gpu-memory -x -d "Memory that has to be free"
complete -c nexus -n "__nexus_on add" -s p -l priority -x -d "More goes first"
complete -c nexus -n "__nexus_on add" -s r -l retries -x -d "Run again so often where it fails"
complete -c nexus -n "__nexus_on add" -s t -l time-limit -x -d "End it after"
complete -c nexus -n "__nexus_on add" -s a -l after -x -a "(nexus __ids all 2>/dev/null)" -d "Wait for this job"
complete -c nexus -n "__nexus_on add" -l array -x -d "A job for each number"
complete -c nexus -n "__nexus_on add" -l notify -x -a "finished failed never" -d "When to tell of its end"
complete -c nexus -n "__nexus_on add" -l dry-run -d "Only show what would be added"
complete -c nexus -n "__nexus_on add queue history config blacklist" -l json -d "Print JSON"
complete -c nexus -n "__nexus_on history" -s n -l limit -x -d "Only the last so many"
complete -c nexus -n "__nexus_on logs" -s f -l follow -d "Go on until the job ends"
complete -c nexus -n "__nexus_on logs" -s n -l tail -x -d "Begin at the last so many lines"
complete -c nexus -n "__nexus_on blacklist" -s r -l remove -d "Take them off the blacklist"

complete -c nexus -n "__nexus_on kill attach" -a "(nexus __ids active 2>/dev/null)" -d "Running job"
complete -c nexus -n "__nexus_on remove" -a "(nexus __ids queued 2>/dev/null)" -d "Pending job"
complete -c nexus -n "__nexus_on rerun wait logs" -a "(nexus __ids all 2>/dev/null)" -d "Job"
complete -c nexus -n "__nexus_on logs attach" -a service -d "The service"
complete -c nexus -n "__nexus_on config" -a "edit (nexus __keys 2>/dev/null)"
complete -c nexus -n "__nexus_on help" -a "start stop restart add rerun queue history kill remove wait pause resume logs attach edit config blacklist"
