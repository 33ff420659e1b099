// One function per subcommand. Each prints what there is to say and returns
// the exit status.
#pragma once

#include <nexus/engine.hpp>
#include <nexus/status.hpp>

#include "arguments.hpp"
#include "signals.hpp"
#include "streams.hpp"
#include "terminal.hpp"
#include "watch.hpp"

namespace nexus::tool {

int run_keygen(const keygen_arguments& arguments, terminal& out);
int run_encrypt(const encrypt_arguments& arguments, terminal& out);
int run_decrypt(const decrypt_arguments& arguments, terminal& out);
int run_inspect(const inspect_arguments& arguments, terminal& out);
int run_devices(const devices_arguments& arguments, terminal& out);
int run_plugins(const plugins_arguments& arguments, terminal& out);
int run_operation(const operation_arguments& arguments, terminal& out);
int run_prove(const prove_arguments& arguments, terminal& out);
int run_verify(const verify_arguments& arguments, terminal& out);
int run_digest(const digest_arguments& arguments, terminal& out);
int run_bench(const bench_arguments& arguments, terminal& out);
int run_join(const join_arguments& arguments, terminal& out);

// 0 all of it worked; 1 the data or the key; 2 usage; 3 the environment, and
// defects; 141 nobody reads the output; 128 + signal where a stop was asked
// for (signal 0: by SIGINT).
[[nodiscard]] int exit_status(const status& outcome, int signal = 0) noexcept;
// Prints the failure (a closed pipe says nothing) and returns exit_status().
int fail(terminal& out, const status& failure, int signal = 0);

// engine_options whose diagnostics go to the terminal's log. After the log was
// started.
[[nodiscard]] engine_options engine_for(const stream_arguments& arguments,
                                        terminal& out);

// Runs to the end with progress, summary and telemetry. Prints nothing of a
// failure.
[[nodiscard]] status run_stream(engine& worker, operation& work,
                                stream_pair streams,
                                const stream_arguments& arguments,
                                terminal& out, signal_watch& signals,
                                run_watch& watch);

}  // namespace nexus::tool
