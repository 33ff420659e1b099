#include "help.hpp"

#include <array>

namespace nexus::tool {
namespace {

constexpr command_help keygen_help{
    "keygen", "make a key pair, or print the public key of one",
    "[-o FILE]\n       nexus-pipe keygen -y [-o FILE] [IN]",
    "Writes a new secret key (an identity) to a file that only you can read,\n"
    "and prints its public key (a recipient, age1...) for others to encrypt "
    "to.\nThe default file is $XDG_CONFIG_HOME/nexus-pipe/identity.txt, or\n"
    "~/.config/nexus-pipe/identity.txt. No file is ever overwritten.\n",
    "  nexus-pipe keygen                  # your own key, used by default\n"
    "  nexus-pipe keygen -o backup.key    # another one\n"
    "  nexus-pipe keygen -y backup.key    # its public key again\n"};

constexpr command_help encrypt_help{
    "encrypt", "encrypt a stream to public keys or with a passphrase",
    "[-r RECIPIENT | -R FILE | -i FILE]... [OPTIONS] [IN]\n"
    "       nexus-pipe encrypt -p [OPTIONS] [IN]",
    "Encrypts IN, or standard input, to all the recipients given. With none\n"
    "and no -p it encrypts to your own key, which `nexus-pipe keygen` makes.\n",
    "  nexus-pipe keygen\n"
    "  nexus-pipe encrypt -o notes.age notes.txt   # to yourself\n"
    "  nexus-pipe encrypt -r age1... < in > out    # to someone else\n"
    "  nexus-pipe encrypt -p -o notes.age notes.txt\n"
    "  tar c photos | nexus-pipe encrypt -R team.txt -o photos.tar.age\n"};

constexpr command_help decrypt_help{
    "decrypt", "decrypt a stream with your key or a passphrase",
    "[-i FILE]... [OPTIONS] [IN]",
    "Decrypts IN, or standard input, with the identities given, or else with\n"
    "your own (see `nexus-pipe keygen --help`). Asks for the passphrase of a\n"
    "file that has one. Only authenticated bytes are ever written: the exit\n"
    "status says whether all of them came.\n",
    "  nexus-pipe decrypt -o notes.txt notes.age\n"
    "  nexus-pipe decrypt -i backup.key < in > out\n"
    "  nexus-pipe decrypt photos.tar.age | tar x\n"};

#define NOT_ZERO_KNOWLEDGE                                                     \
  "A proof shows that somebody knew the bytes. It is NOT zero-knowledge: it\n" \
  "tells something of them, so keep it as secret as the input.\n"

constexpr command_help prove_help{
    "prove", "prove knowledge of a stream, segment by segment (STARKs)",
    "[--security PROFILE] [OPTIONS] [IN]",
    "Turns IN, or standard input, into a stream of proofs that\n"
    "`nexus-pipe verify` and, one by one, stock Plonky3 "
    "verify.\n" NOT_ZERO_KNOWLEDGE
    "Parts of a long stream can be proved on different machines: each with\n"
    "--first-index, all but the last with --partial; `nexus-pipe join` makes\n"
    "one stream of them. A segment of 65536 rows holds 3916800 bytes.\n",
    "  nexus-pipe prove -o backup.proof backup.tar\n"
    "  nexus-pipe verify --data backup.tar backup.proof\n"
    "  nexus-pipe prove --first-index 256 --partial -o part2 half.2\n"};

constexpr command_help verify_help{
    "verify", "verify a stream of proofs",
    "[--data FILE] [--root HEX] [--length N] [OPTIONS] [IN]",
    "Verifies every proof of IN, or standard input, their order, and that "
    "none\n"
    "is missing; prints the root, the length and the profile. That says as "
    "much\n"
    "as the root does: compare with --data, or with --root and one that was\n"
    "computed from the bytes. Proofs are not zero-knowledge.\n",
    "  nexus-pipe verify --data backup.tar backup.proof\n"
    "  nexus-pipe verify --root 9c2f... --length 1048576 < backup.proof\n"};

constexpr command_help digest_help{
    "digest", "print the root that the proofs of a stream would have",
    "[--json] [OPTIONS] [IN]",
    "Reads IN, or standard input, and proves nothing: compare the root with\n"
    "that of `nexus-pipe verify`.\n",
    "  nexus-pipe digest backup.tar\n"};

constexpr command_help join_help{
    "join", "make one stream of proofs of its parts", "[-o FILE] PART...",
    "Puts proof streams together that were made with --first-index and\n"
    "--partial. The proofs themselves are not verified, and are not\n"
    "zero-knowledge.\n",
    "  nexus-pipe join -o all.proof part1 part2 part3\n"};

constexpr command_help inspect_help{
    "inspect", "show what an encrypted file or a stream of proofs tells",
    "[--json] [IN]\n       nexus-pipe inspect --extract-proof I [-o FILE] [IN]",
    "Reads all of IN, or standard input. No key is needed, and no proof is\n"
    "verified.\n",
    "  nexus-pipe inspect notes.age\n"
    "  nexus-pipe inspect --json < backup.proof\n"
    "  nexus-pipe inspect --extract-proof 7 -o seven.bin backup.proof\n"};

constexpr command_help run_help{
    "run", "run an operation that a plugin brings",
    "OPERATION [--set KEY=VALUE]... [OPTIONS] [IN]",
    "Runs IN, or standard input, through an operation of a plugin. The list\n"
    "of them is in `nexus-pipe plugins`.\n",
    "  nexus-pipe run rot --set by=13 -o out.txt in.txt\n"};

constexpr command_help devices_help{
    "devices", "show the machine, its devices, and how much runs at once",
    "[--json] [OPTIONS]",
    "Shows what a run would use here, and the reason for every number. The\n"
    "options are those of a run, to see what they would change.\n",
    "  nexus-pipe devices\n"
    "  nexus-pipe devices --memory 4G --max-threads 8\n"};

constexpr command_help plugins_help{
    "plugins", "list the plugins, and why one was not loaded",
    "[--why] [--json] [OPTIONS]", "",
    "  nexus-pipe plugins --why\n"
    "  nexus-pipe plugins --plugin-dir ./build/plugins\n"};

constexpr command_help bench_help{
    "bench", "measure this machine: operations, memory and disk",
    "[--op OP]... [--report FILE.html] [--json] [OPTIONS]",
    "Runs operations from memory to nowhere, by every backend, with several\n"
    "segment sizes and numbers of workers, and says how much of the memory's\n"
    "speed that is. OP: encrypt, decrypt, prove, verify or digest; with none\n"
    "encrypt, decrypt and digest, which take about half a minute.\n",
    "  nexus-pipe bench --quick\n"
    "  nexus-pipe bench --report bench.html\n"
    "  nexus-pipe bench --op prove --op verify --json\n"};

constexpr std::array commands{encrypt_help, decrypt_help, keygen_help,
                              prove_help,   verify_help,  digest_help,
                              join_help,    inspect_help, run_help,
                              devices_help, plugins_help, bench_help};

}  // namespace

const command_help* find_command(std::string_view name) {
  for (const command_help& command : commands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

std::string overview() {
  std::string text =
      "nexus-pipe encrypts, decrypts and proves streams on all the processors "
      "and GPUs\nat hand. Its files are in the age v1 format, which other age "
      "tools read and write\ntoo; its proofs are STARKs that Plonky3 verifies. "
      "They are not zero-knowledge.\n\n"
      "Usage: nexus-pipe COMMAND [OPTIONS] [FILE]\n\nCommands:\n";
  for (const command_help& command : commands) {
    text.append("  ").append(command.name);
    text.append(12 - command.name.size(), ' ');
    text.append(command.summary).append("\n");
  }
  text +=
      "\n  nexus-pipe COMMAND --help    options and examples of one command\n"
      "  nexus-pipe --version\n\n"
      "Examples:\n"
      "  nexus-pipe keygen                             # once: your own key\n"
      "  nexus-pipe encrypt -o notes.age notes.txt     # to yourself\n"
      "  nexus-pipe decrypt -o notes.txt notes.age\n"
      "  nexus-pipe encrypt -r age1... < in > out      # to someone else\n"
      "  nexus-pipe encrypt -p -o notes.age notes.txt  # with a passphrase\n"
      "  nexus-pipe prove -o notes.proof notes.txt\n"
      "  nexus-pipe verify --data notes.txt notes.proof\n\n"
      "Exit status: 0 all of it worked; 1 the data or the key is wrong; "
      "2 wrong usage;\n3 the machine (memory, disk, device); 130 or 143 "
      "stopped by a signal; 141 the\nreader of the output went away.\n";
  return text;
}

}  // namespace nexus::tool
