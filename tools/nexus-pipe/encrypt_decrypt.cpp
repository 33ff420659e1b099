#include <memory>
#include <nexus/age.hpp>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "files.hpp"
#include "secrets.hpp"

namespace nexus::tool {
namespace {

// The prompt has to be copyable, a secret is not.
age::passphrase_prompt answer_with(secret_string passphrase) {
  auto kept = std::make_shared<const secret_string>(std::move(passphrase));
  return
      [kept]() -> result<secret_string> { return secret_string(kept->view()); };
}

// Twice, or a fresh one where nothing is entered.
result<secret_string> ask_new_passphrase(terminal& out,
                                         const stop_event& stop) {
  result<secret_string> first =
      out.ask_secret("New passphrase (empty: a random one): ", stop);
  if (!first) return first;
  if (first->empty()) {
    result<secret_string> made = make_passphrase();
    if (!made) return made;
    secret_string text("The passphrase is: ");
    text.append(made->view());
    if (status s = out.tell(text.view()); !s.ok()) return s;
    return made;
  }
  const result<secret_string> second = out.ask_secret("Once more: ", stop);
  if (!second) return second.error();
  if (first->view() != second->view()) {
    return status(status_code::invalid_argument,
                  "the two passphrases are not the same");
  }
  return first;
}

status add_recipient(const std::string& text,
                     std::vector<age::recipient>& into) {
  if (text.starts_with("AGE-SECRET-KEY-") ||
      text.starts_with("age-secret-key-")) {
    return {status_code::invalid_argument,
            "-r: that is a secret key, and now others may have seen it",
            "make a new one with nexus-pipe keygen; encrypt to the owner of a "
            "key file with -i FILE"};
  }
  result<age::recipient> parsed = age::recipient::parse(text);
  if (!parsed) {
    const status why = parsed.error();
    return {status_code::invalid_argument, "-r " + text + ": " + why.message(),
            why.hint()};
  }
  into.push_back(*parsed);
  return {};
}

void add_owners(const std::vector<age::identity>& identities,
                std::vector<age::recipient>& into) {
  for (const age::identity& one : identities) {
    into.push_back(one.to_recipient());
  }
}

result<std::vector<age::recipient>> default_recipient(const stop_event& stop) {
  const result<std::vector<age::identity>> own = read_default_identities(stop);
  if (!own) return own.error();
  if (own->empty()) {
    return status(status_code::invalid_argument,
                  "nobody to encrypt to: no recipient, no passphrase, and no "
                  "identity of your own",
                  "make one with nexus-pipe keygen, or use -r, -R, -i or -p");
  }
  std::vector<age::recipient> owners;
  add_owners(*own, owners);
  return owners;
}

result<std::vector<age::recipient>> collect_recipients(
    const encrypt_arguments& arguments, const stop_event& stop) {
  std::vector<age::recipient> all;
  for (const std::string& text : arguments.recipients) {
    if (status s = add_recipient(text, all); !s.ok()) return s;
  }
  for (const std::string& path : arguments.recipient_files) {
    const result<std::vector<age::recipient>> some =
        read_recipients(path, stop);
    if (!some) return some.error();
    all.insert(all.end(), some->begin(), some->end());
  }
  for (const std::string& path : arguments.identity_files) {
    const result<std::vector<age::identity>> some = read_identities(path, stop);
    if (!some) return some.error();
    add_owners(*some, all);
  }
  if (!all.empty()) return all;
  return default_recipient(stop);
}

result<age::encrypt_options> encrypt_keys(const encrypt_arguments& arguments,
                                          terminal& out,
                                          const stop_event& stop) {
  age::encrypt_options options;
  options.armor = arguments.armor;
  options.verify_output = arguments.verify_output;
  if (arguments.passphrase) {
    result<secret_string> passphrase =
        arguments.secret.given() ? read_passphrase(arguments.secret, stop)
                                 : ask_new_passphrase(out, stop);
    if (!passphrase) return passphrase.error();
    options.passphrase = answer_with(*std::move(passphrase));
    return options;
  }
  result<std::vector<age::recipient>> recipients =
      collect_recipients(arguments, stop);
  if (!recipients) return recipients.error();
  options.recipients = *std::move(recipients);
  return options;
}

result<age::decrypt_options> decrypt_keys(const decrypt_arguments& arguments,
                                          terminal& out,
                                          const stop_event& stop) {
  age::decrypt_options options;
  for (const std::string& path : arguments.identity_files) {
    result<std::vector<age::identity>> some = read_identities(path, stop);
    if (!some) return some.error();
    for (age::identity& one : *some) {
      options.identities.push_back(std::move(one));
    }
  }
  if (arguments.secret.given()) {
    result<secret_string> passphrase = read_passphrase(arguments.secret, stop);
    if (!passphrase) return passphrase.error();
    options.passphrase = answer_with(*std::move(passphrase));
  } else {
    const std::string name = display_name(arguments.stream.input);
    options.passphrase = [&out, &stop, name] {
      return out.ask_secret("Passphrase of " + name + ": ", stop);
    };
  }
  if (!arguments.identity_files.empty()) return options;
  result<std::vector<age::identity>> own = read_default_identities(stop);
  if (!own) return own.error();
  options.identities = *std::move(own);
  return options;
}

// Where no key was at hand at all, that is what there is to say.
status explain_missing_key(status outcome) {
  if (outcome.code() != status_code::wrong_key) return outcome;
  const result<std::string> path = default_identity_path();
  const std::string own = path ? *path : std::string("the default identity");
  return {outcome.code(), outcome.message(),
          "no key was given, and " + own + " does not exist: use -i FILE"};
}

std::vector<std::string> key_files(std::vector<std::string> names,
                                   const std::vector<std::string>& more,
                                   const passphrase_source& secret) {
  names.insert(names.end(), more.begin(), more.end());
  if (!secret.file.empty()) names.push_back(secret.file);
  if (const result<std::string> own = default_identity_path()) {
    names.push_back(*own);
  }
  return names;
}

}  // namespace

int run_encrypt(const encrypt_arguments& arguments, terminal& out) {
  harden_process();
  signal_watch signals([&out] { out.restore(); });
  const stop_event stop(signals.token());
  // Before anything is asked.
  result<stream_pair> streams = open_streams(
      arguments.stream,
      arguments.armor ? terminal_output::anything : terminal_output::nothing,
      key_files(arguments.identity_files, arguments.recipient_files,
                arguments.secret));
  if (!streams) return fail(out, streams.error());
  run_watch watch(out);
  if (status s = watch.open(arguments.stream); !s.ok()) return fail(out, s);
  result<age::encrypt_options> options = encrypt_keys(arguments, out, stop);
  if (!options) return fail(out, options.error(), signals.caught());

  engine worker(engine_for(arguments.stream, out));
  const auto work = age::make_encrypt(*std::move(options));
  const status outcome = run_stream(worker, *work, *std::move(streams),
                                    arguments.stream, out, signals, watch);
  return outcome.ok() ? 0 : fail(out, outcome, signals.caught());
}

int run_decrypt(const decrypt_arguments& arguments, terminal& out) {
  harden_process();
  signal_watch signals([&out] { out.restore(); });
  const stop_event stop(signals.token());
  result<stream_pair> streams =
      open_streams(arguments.stream, terminal_output::text_only,
                   key_files(arguments.identity_files, {}, arguments.secret));
  if (!streams) return fail(out, streams.error());
  run_watch watch(out);
  if (status s = watch.open(arguments.stream); !s.ok()) return fail(out, s);
  result<age::decrypt_options> options = decrypt_keys(arguments, out, stop);
  if (!options) return fail(out, options.error(), signals.caught());
  const bool keyless = options->identities.empty() && !arguments.secret.given();

  engine worker(engine_for(arguments.stream, out));
  const auto work = age::make_decrypt(*std::move(options));
  status outcome = run_stream(worker, *work, *std::move(streams),
                              arguments.stream, out, signals, watch);
  if (outcome.ok()) return 0;
  // A wrong passphrase is another matter: it was asked for.
  if (keyless && !out.asked()) outcome = explain_missing_key(outcome);
  return fail(out, outcome, signals.caught());
}

}  // namespace nexus::tool
