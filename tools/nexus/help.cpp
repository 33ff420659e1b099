#include "help.hpp"

#include <array>

namespace nexus::queue {
namespace {

constexpr std::array texts = {
    command_text{"start", "", "Start the nexus service",
                 "`nexus` alone does so too, and shows the status."},
    command_text{"stop", "", "Stop the service and all running jobs",
                 "Jobs get SIGTERM, and SIGKILL after 10 seconds\n"
                 "(jobs.kill_grace_seconds). Pending jobs stay in the queue."},
    command_text{"restart", "", "Restart the service; running jobs go on",
                 "Starts it where it does not run."},
    command_text{"add", "\"command\"", "Add a job to the queue",
                 "One word is a line for bash; several are a program and its\n"
                 "arguments. The job gets this folder and environment, and\n"
                 "CUDA_VISIBLE_DEVICES, NEXUS_JOB_ID and NEXUS_GPU_ID.\n"
                 "Example: nexus add \"python train.py --model gpt2\""},
    command_text{"rerun", "id...", "Add a job again, as it was",
                 "With its command, folder, environment and options. It waits\n"
                 "again for jobs that have not ended."},
    command_text{"queue", "", "Show pending jobs",
                 "In the order in which they will start."},
    command_text{"history", "", "Show completed jobs",
                 "With start, runtime, outcome, GPU and command."},
    command_text{"kill", "id|gpu...", "Kill running jobs",
                 "A number means the job on that GPU. The whole process group\n"
                 "gets SIGTERM, and SIGKILL after 10 seconds.\n"
                 "Examples: nexus kill abc, nexus kill 0"},
    command_text{"remove", "id...", "Remove jobs from the queue",
                 "Jobs that run are ended by `nexus kill`."},
    command_text{"wait", "id...", "Wait until jobs have ended",
                 "Exit status 1 where one of them did not complete."},
    command_text{"pause", "", "Pause the queue", "Running jobs go on."},
    command_text{"resume", "", "Resume the queue", ""},
    command_text{"logs", "id|service", "View the logs of a job",
                 "Its standard output goes to standard output, its standard\n"
                 "error to standard error."},
    command_text{"attach", "id|gpu|service", "Attach to a job's session",
                 "Ctrl+A+D leaves it again. What is typed goes to the job."},
    command_text{"edit", "", "Open jobs.txt in $EDITOR",
                 "Lines without an id are new jobs, lines taken out remove\n"
                 "theirs, and the order of the lines is that of the queue."},
    command_text{"config", "[edit | key value]", "Show or change config.toml",
                 "`nexus config edit` opens it in $EDITOR.\n"
                 "Example: nexus config gpus.cpu_slots 2"},
    command_text{"blacklist", "[gpu...]", "GPUs that are left alone",
                 "Without arguments, lists them. Jobs that run there go on."},
    command_text{"help", "[command]", "Show help, of a command in detail", ""},
};

}  // namespace

std::span<const command_text> command_texts() noexcept {
  return texts;
}

const command_text& text_of(std::string_view command) noexcept {
  for (const command_text& text : texts) {
    if (text.name == command) return text;
  }
  return texts.back();
}

}  // namespace nexus::queue
