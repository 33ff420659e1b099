#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nexus/age.hpp>
#include <nexus/secret.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "files.hpp"
#include "secrets.hpp"

namespace nexus::tool {
namespace {

// RFC 3339 in UTC: the file does not tell where its owner lives.
std::string now_text() {
  const time_t now = ::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text;
  const std::size_t size =
      ::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

secret_string identity_file_text(const age::identity& key,
                                 const std::string& public_key) {
  secret_string text("# created: ");
  text.append(now_text());
  text.append("\n# public key: ");
  text.append(public_key);
  text.append("\n");
  const secret_string secret = key.to_string();
  text.append(secret.view());
  text.append("\n");
  return text;
}

status explain_existing(status failure, const std::string& path) {
  if (failure.system_error() != EEXIST) return failure;
  return {failure.code(), path + ": the file exists, and is not overwritten",
          "nexus-pipe keygen -y " + path +
              " prints its public key; -o FILE writes a new key to FILE",
          EEXIST};
}

int generate(const keygen_arguments& arguments, terminal& out) {
  const result<age::identity> key = age::identity::generate();
  if (!key) return fail(out, key.error());
  const std::string public_key = key->to_recipient().to_string();
  const secret_string text = identity_file_text(*key, public_key);
  if (arguments.output == "-") {
    if (::isatty(STDOUT_FILENO) == 0) {
      out.plain("Public key: " + public_key);
    }
    const status printed = print_output(text.view());
    return printed.ok() ? 0 : fail(out, printed);
  }

  result<std::string> path =
      arguments.output ? *arguments.output : default_identity_path();
  if (!path) return fail(out, path.error());
  if (!arguments.output) {
    if (status s = make_private_directories(*path); !s.ok()) {
      return fail(out, s);
    }
  }
  if (status s = write_new_file(*path, text.view(), 0600); !s.ok()) {
    return fail(out, explain_existing(std::move(s), *path));
  }
  out.plain("The secret key is in " + *path + ", the public key is:");
  const status printed = print_output(public_key + "\n");
  return printed.ok() ? 0 : fail(out, printed);
}

// Where nobody pipes a key in, the default one is meant.
result<std::string> input_to_convert(const keygen_arguments& arguments) {
  if (arguments.input) return *arguments.input;
  if (::isatty(STDIN_FILENO) == 0) return std::string("-");
  return default_identity_path();
}

int convert(const keygen_arguments& arguments, terminal& out) {
  const result<std::string> path = input_to_convert(arguments);
  if (!path) return fail(out, path.error());
  const result<std::vector<age::identity>> keys =
      read_identities(*path, stop_event());
  if (!keys) return fail(out, keys.error());
  std::string text;
  for (const age::identity& key : *keys) {
    text += key.to_recipient().to_string() + "\n";
  }
  const status done =
      arguments.output && arguments.output != "-"
          ? explain_existing(write_new_file(*arguments.output, text, 0666),
                             *arguments.output)
          : print_output(text);
  return done.ok() ? 0 : fail(out, done);
}

}  // namespace

int run_keygen(const keygen_arguments& arguments, terminal& out) {
  harden_process();
  return arguments.convert ? convert(arguments, out) : generate(arguments, out);
}

}  // namespace nexus::tool
