// The loader on real shared objects. One C file, built in every way that there
// is to be refused (support/bad_plugins), is copied to where it is looked for.
#include "backend/plugin_loader.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace nexus::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class PluginLoader : public testing::Test {
 public:
  PluginLoader() {
    std::string pattern = fs::temp_directory_path() / "nexus-loader-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) abort();
    root_ = fs::canonical(pattern);
    ::unsetenv("NEXUS_PLUGIN_PATH");
    ::unsetenv("NEXUS_TEST_PLUGIN_RAN");
    before_ = fs::current_path();
  }
  ~PluginLoader() override {
    fs::current_path(before_);
    fs::remove_all(root_);
    ::unsetenv("NEXUS_PLUGIN_PATH");
  }

  std::string folder(const std::string& name, mode_t mode = 0755) {
    const std::string path = root_ / name;
    fs::create_directories(path);
    ::chmod(path.c_str(), mode);
    return path;
  }
  // The variant as nexus-NAME.so.
  static std::string put(const std::string& variant, const std::string& into,
                         const std::string& name) {
    const std::string path = into + "/nexus-" + name + ".so";
    fs::copy_file(NEXUS_TEST_BAD_PLUGIN_DIR "/" + variant + ".so", path);
    ::chmod(path.c_str(), 0755);
    return path;
  }
  static std::string put_text(const std::string& text, const std::string& path,
                              mode_t mode = 0755) {
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  static std::string contents(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Whether any code of a plugin has run since the test began.
  static bool code_ran() {
    return ::getenv("NEXUS_TEST_PLUGIN_RAN") != nullptr;
  }

  static std::vector<plugin_candidate> load(std::vector<std::string> folders) {
    plugin_loader loader(std::move(folders), {});
    loader.load_all();
    return loader.candidates();
  }
  // Why the variant is refused.
  std::string reason_of(const std::string& variant) {
    const std::string path = put(variant, folder(variant), "tried");
    const auto found = load({folder(variant)});
    if (found.size() != 1) return std::to_string(found.size()) + " candidates";
    EXPECT_EQ(found[0].plugin, nullptr) << variant << " was loaded";
    EXPECT_EQ(found[0].path, path);
    return found[0].reason;
  }

  fs::path root_;
  fs::path before_;
};

TEST_F(PluginLoader, AnotherMajorVersionIsRefused) {
  EXPECT_EQ(reason_of("wrong_major"),
            "built for plugin ABI 2, this program has 1");
  // Its struct may be smaller than ours: the version is what matters then.
  EXPECT_EQ(reason_of("wrong_major_short"),
            "built for plugin ABI 2, this program has 1");
}

TEST_F(PluginLoader, ATableThatIsTooShortIsRefused) {
  auto too_short = [](const std::string& name, std::size_t has,
                      std::size_t needs) {
    return name + " has " + std::to_string(has) + " bytes, version 1.0 needs " +
           std::to_string(needs);
  };
  EXPECT_EQ(reason_of("tiny"),
            too_short("nexus_plugin", 8, sizeof(nexus_plugin)));
  EXPECT_EQ(reason_of("short_plugin"),
            too_short("nexus_plugin", sizeof(nexus_plugin) - 8,
                      sizeof(nexus_plugin)));
  EXPECT_EQ(reason_of("short_backend"),
            too_short("nexus_backend", sizeof(nexus_backend) - 8,
                      sizeof(nexus_backend)));
  EXPECT_EQ(reason_of("short_operation"),
            too_short("nexus_operation", sizeof(nexus_operation) - 8,
                      sizeof(nexus_operation)));
}

TEST_F(PluginLoader, AMissingFunctionIsNamed) {
  for (const std::string name : {"probe", "caps", "open", "close", "submit"})
    EXPECT_EQ(reason_of("no_" + name), "backend." + name + " is missing");
  for (const std::string name : {"create", "destroy", "plan", "job"})
    EXPECT_EQ(reason_of("no_" + name), "operation." + name + " is missing");
  EXPECT_EQ(reason_of("import_only"), "backend.release_buffer is missing");
}

TEST_F(PluginLoader, AnEntryThatIsMissingOrGivesNothingIsRefused) {
  EXPECT_EQ(reason_of("no_entry"), "it exports no nexus_plugin_entry");
  EXPECT_EQ(reason_of("returns_null"),
            "its entry returned nothing: it cannot run here");
}

TEST_F(PluginLoader, NamesAreChecked) {
  for (const char* variant : {"no_name", "bad_name", "empty_name"})
    EXPECT_EQ(reason_of(variant), "plugin.name is missing or not [a-z0-9-]+");
  EXPECT_EQ(reason_of("bad_operation_name"),
            "operation.name is missing or not [a-z0-9-]+");
}

TEST_F(PluginLoader, TheListOfOperationsIsChecked) {
  EXPECT_EQ(reason_of("null_operations"), "plugin.operations is missing");
  EXPECT_EQ(reason_of("null_operation"),
            "plugin.operations holds a null pointer");
  EXPECT_EQ(reason_of("empty"), "brings neither a backend nor an operation");
}

TEST_F(PluginLoader, APluginWithTwoOperationsOfOneNameIsRefused) {
  EXPECT_EQ(reason_of("one_operation_twice"),
            "brings two operations \"nothing\"");
}

TEST_F(PluginLoader, OfTwoPluginsThatBringAnOperationTheFirstIsUsed) {
  const std::string here = folder("here");
  put("other", here, "a");
  put("good", here, "b");
  const auto found = load({here});
  ASSERT_THAT(found, SizeIs(2));
  ASSERT_NE(found[1].plugin, nullptr) << found[1].reason;
  EXPECT_TRUE(found[0].brings("nothing"));
  EXPECT_FALSE(found[0].brings("something"));
  EXPECT_THAT(found[0].hidden, IsEmpty());
  EXPECT_FALSE(found[1].brings("nothing"));
  ASSERT_THAT(found[1].hidden, SizeIs(1));
  EXPECT_EQ(found[1].hidden[0].first, "nothing");
  EXPECT_EQ(found[1].hidden[0].second, "other");
}

TEST_F(PluginLoader, ANameThatIsNoNameIsRefusedAndOpensNothing) {
  const std::string here = folder("here");
  put("good", root_, "good");
  put("good", folder("here/nexus-x"), "good");
  put("good", here, "Good");
  for (const std::string& name :
       {std::string("../nexus-good"), std::string("x/nexus-good"),
        std::string("Good"), std::string(), std::string("good "),
        std::string("good\0", 5), root_.string() + "/nexus-good"}) {
    plugin_loader loader({here}, {});
    loader.load(name);
    loader.load(name);
    ASSERT_THAT(loader.candidates(), SizeIs(1)) << name;
    EXPECT_EQ(loader.candidates()[0].reason, "names of plugins are [a-z0-9-]+");
    EXPECT_FALSE(code_ran()) << name;
  }
}

TEST_F(PluginLoader, WhatIsNoElfFileIsNotOpened) {
  const std::string here = folder("here");
  put_text("#!/bin/sh\necho hello\n", here + "/nexus-script.so");
  put_text("", here + "/nexus-empty.so");
  put_text("\x7f", here + "/nexus-short.so");
  fs::create_directory(here + "/nexus-folder.so");
  ASSERT_EQ(::mkfifo((here + "/nexus-pipe.so").c_str(), 0644), 0);
  fs::create_symlink(here + "/nowhere", here + "/nexus-dangling.so");
  const auto found = load({here});
  ASSERT_THAT(found, SizeIs(6));
  for (const auto& candidate : found) EXPECT_EQ(candidate.plugin, nullptr);
  EXPECT_THAT(found[0].reason, HasSubstr("No such file or directory"));
  EXPECT_THAT(found[1].reason, HasSubstr("not an ELF file"));
  EXPECT_THAT(found[2].reason, HasSubstr("not a regular file"));
  EXPECT_THAT(found[3].reason, HasSubstr("not a regular file"));
  EXPECT_THAT(found[4].reason, HasSubstr("not an ELF file"));
  EXPECT_THAT(found[5].reason, HasSubstr("not an ELF file"));
}

// A download that broke off. Each is tried in a process of its own, since a
// file that is shorter than its segments may end it.
TEST_F(PluginLoader, ATruncatedFileIsRefusedAndDoesNotCrash) {
  const std::string here = folder("here");
  const std::string whole = contents(NEXUS_TEST_BAD_PLUGIN_DIR "/good.so");
  ASSERT_GT(whole.size(), 4096u);
  for (std::size_t size = 4; size < whole.size();
       size += size < 1024 ? 101 : 1021) {
    put_text(whole.substr(0, size), here + "/nexus-cut.so");
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto found = load({here});
      const bool loaded = found.size() == 1 && found[0].plugin;
      const bool said_why = found.size() == 1 && !found[0].reason.empty();
      // The tables of sections at the end are of no use to a loader.
      ::_exit(loaded || said_why ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status))
        << size << " bytes: ended by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << size << " bytes";
    fs::remove(here + "/nexus-cut.so");
  }
}

TEST_F(PluginLoader, AFileThatAnyoneMayWriteToNeverRuns) {
  const std::string path = put("good", folder("here"), "open");
  ::chmod(path.c_str(), 0757);
  const auto found = load({folder("here")});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].plugin, nullptr);
  EXPECT_EQ(found[0].reason, "anyone may write to it (chmod o-w)");
  EXPECT_FALSE(code_ran());
  ::chmod(path.c_str(), 0755);
  EXPECT_NE(load({folder("here")}).at(0).plugin, nullptr);
  EXPECT_TRUE(code_ran());
}

TEST_F(PluginLoader, ADirectoryThatAnyoneMayWriteToIsRefused) {
  // The sticky bit keeps others from removing files, not from adding some.
  for (const mode_t mode : {mode_t{0777}, mode_t{01777}}) {
    const std::string here = folder("m" + std::to_string(mode));
    put("good", here, "good");
    ::chmod(here.c_str(), mode);
    plugin_loader loader({here}, {});
    loader.load("good");
    EXPECT_THAT(loader.candidates(), IsEmpty()) << std::oct << mode;
    loader.load_all();
    ASSERT_THAT(loader.candidates(), SizeIs(1));
    EXPECT_EQ(loader.candidates()[0].reason, "anyone may write to it")
        << std::oct << mode;
    EXPECT_FALSE(code_ran()) << std::oct << mode;
  }
}

TEST_F(PluginLoader, ADirectoryThatIsNotThereOrNoneIsSaidSo) {
  const std::string file = put_text("x", root_ / "file");
  const std::string gone = root_ / "gone";
  const auto found = load({gone, file, "plugins", folder("empty")});
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].reason, "No such file or directory");
  EXPECT_EQ(found[1].reason, "not a directory");
  EXPECT_EQ(found[2].reason, "not an absolute path");
}

TEST_F(PluginLoader, ADirectoryThatWasGivenHasToBeThere) {
  const std::string file = put_text("x", root_ / "file");
  const std::string gone = root_ / "gone";
  const std::string here = folder("here");
  const auto problem = [](std::vector<std::string> directories) {
    const plugin_loader loader(std::move(directories), {});
    const status found = loader.check_directories();
    EXPECT_TRUE(found.ok() || found.code() == status_code::invalid_argument);
    return found.message();
  };
  EXPECT_EQ(problem({here, gone}),
            "plugin directory " + gone + ": No such file or directory");
  EXPECT_EQ(problem({file}), "plugin directory " + file + ": not a directory");
  EXPECT_EQ(problem({here}), "");
  ::setenv("NEXUS_PLUGIN_PATH", (gone + ":" + file).c_str(), 1);
  EXPECT_EQ(problem({}), "");
  ::unsetenv("NEXUS_PLUGIN_PATH");
}

// Root reads everything, so that somebody else tries.
TEST_F(PluginLoader, ADirectoryThatCannotBeReadIsSaidSo) {
  const std::string here = folder("here", 0711);
  put("good", here, "good");
  ::chmod(root_.c_str(), 0755);
  if (::geteuid() != 0) ::chmod(here.c_str(), 0311);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    if (::geteuid() == 0 && ::seteuid(nobody) != 0) ::_exit(2);
    const auto found = load({here});
    const bool said = found.size() == 1 && found[0].path == here &&
                      found[0].reason == "Permission denied";
    ::_exit(said ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ::chmod(here.c_str(), 0755);
  EXPECT_EQ(status, 0);
}

TEST_F(PluginLoader, NothingIsLoadedFromTheWorkingDirectory) {
  const std::string here = folder("here");
  put("good", here, "good");
  put("good", folder("here/plugins"), "good");
  fs::current_path(here);
  for (const char* path : {"", ":", ".", "::.:", "plugins", "./plugins"}) {
    ::setenv("NEXUS_PLUGIN_PATH", path, 1);
    plugin_loader loader({}, {});
    loader.load("good");
    loader.load_all();
    for (const auto& candidate : loader.candidates())
      EXPECT_EQ(candidate.plugin != nullptr && candidate.plugin->name == "good",
                false)
          << path;
  }
  for (const char* path : {".", "plugins", ""}) {
    plugin_loader loader({path}, {});
    loader.load("good");
    loader.load_all();
    for (const auto& candidate : loader.candidates())
      EXPECT_EQ(candidate.plugin, nullptr) << path;
  }
  EXPECT_FALSE(code_ran());
}

TEST_F(PluginLoader, ThePathOfTheEnvironmentIsSearchedInItsOrder) {
  const std::string first = folder("first"), second = folder("second");
  put("newer", second, "good");
  put("good", first, "good");
  ::setenv("NEXUS_PLUGIN_PATH", (":" + second + "::" + first).c_str(), 1);
  plugin_loader loader({}, {});
  ASSERT_GE(loader.directories().size(), 2u);
  EXPECT_EQ(loader.directories()[0], second);
  EXPECT_EQ(loader.directories()[1], first);
  loader.load("good");
  ASSERT_FALSE(loader.candidates().empty());
  ASSERT_NE(loader.candidates()[0].plugin, nullptr);
  EXPECT_EQ(loader.candidates()[0].plugin->abi_minor, 7u);
  // Directories that were given are the only ones.
  plugin_loader given({first}, {});
  EXPECT_THAT(given.directories(), testing::ElementsAre(first));
}

TEST_F(PluginLoader, AWellFormedPluginIsLoadedWithItsTables) {
  const std::string path = put("good", folder("here"), "good");
  const auto found = load({folder("here")});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].reason, "");
  ASSERT_NE(found[0].plugin, nullptr);
  const loaded_plugin& good = *found[0].plugin;
  EXPECT_EQ(good.path, path);
  EXPECT_EQ(good.name, "good");
  EXPECT_EQ(good.version, "9.8.7");
  EXPECT_EQ(good.abi_major, NEXUS_ABI_MAJOR);
  EXPECT_EQ(good.abi_minor, NEXUS_ABI_MINOR);
  EXPECT_TRUE(good.has_backend);
  EXPECT_NE(good.backend.probe, nullptr);
  EXPECT_EQ(good.backend.health, nullptr);
  ASSERT_THAT(good.operations, SizeIs(1));
  EXPECT_STREQ(good.operations[0].name, "nothing");
  EXPECT_EQ(good.operations[0].check, nullptr);
}

TEST_F(PluginLoader, ANewerMinorVersionWithLongerTablesIsAccepted) {
  put("newer", folder("here"), "newer");
  const auto found = load({folder("here")});
  ASSERT_THAT(found, SizeIs(1));
  ASSERT_NE(found[0].plugin, nullptr) << found[0].reason;
  EXPECT_EQ(found[0].plugin->abi_minor, 7u);
  EXPECT_EQ(found[0].plugin->backend.size, sizeof(nexus_backend));
  EXPECT_EQ(found[0].plugin->operations.at(0).size, sizeof(nexus_operation));
}

TEST_F(PluginLoader, FailuresAreCollectedAndTheOthersLoaded) {
  const std::string here = folder("here");
  put("wrong_major", here, "a");
  put("good", here, "b");
  put("no_probe", here, "c");
  put("good", here, "lib");  // the name again
  fs::copy_file(NEXUS_TEST_BAD_PLUGIN_DIR "/good.so", here + "/other.so");
  fs::copy_file(NEXUS_TEST_BAD_PLUGIN_DIR "/good.so", here + "/nexus-d.so.1");
  const auto found = load({root_ / "gone", here});
  ASSERT_THAT(found, SizeIs(5));
  EXPECT_EQ(found[1].path, here + "/nexus-a.so");
  EXPECT_NE(found[1].reason, "");
  EXPECT_NE(found[2].plugin, nullptr) << found[2].reason;
  EXPECT_NE(found[3].reason, "");
  EXPECT_EQ(found[4].reason, "another plugin of this name was found first");
  EXPECT_EQ(found[4].plugin, nullptr);
}

TEST_F(PluginLoader, OfTwoPluginsOfOneNameTheFirstDirectoryWins) {
  const std::string first = folder("first"), second = folder("second");
  put("good", first, "good");
  put("newer", second, "good");
  const auto found = load({first, second});
  ASSERT_THAT(found, SizeIs(2));
  ASSERT_NE(found[0].plugin, nullptr);
  EXPECT_EQ(found[0].plugin->abi_minor, NEXUS_ABI_MINOR);
  EXPECT_EQ(found[1].plugin, nullptr);
  EXPECT_EQ(found[1].reason, "another plugin of this name was found first");
}

TEST_F(PluginLoader, OneFileUnderTwoPathsIsLoadedOnce) {
  const std::string here = folder("here");
  put("good", here, "good");
  fs::create_directory_symlink(here, root_ / "link");
  fs::create_symlink(here + "/nexus-good.so", here + "/nexus-twin.so");
  const auto found = load({here, root_ / "link", here});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_NE(found[0].plugin, nullptr);
}

TEST_F(PluginLoader, LoadTakesTheNamedPluginAloneAndLoadAllTheRest) {
  const std::string here = folder("here");
  put("good", here, "good");
  put("no_probe", here, "other");
  plugin_loader loader({here}, {});
  loader.load("missing");
  EXPECT_THAT(loader.candidates(), IsEmpty());
  loader.load("good");
  loader.load("good");
  EXPECT_THAT(loader.candidates(), SizeIs(1));
  EXPECT_FALSE(loader.all_loaded());
  loader.load_all();
  loader.load_all();
  EXPECT_TRUE(loader.all_loaded());
  EXPECT_THAT(loader.candidates(), SizeIs(2));
}

TEST_F(PluginLoader, ASecondLoaderOfTheProcessSharesThePlugin) {
  put("good", folder("here"), "good");
  const auto first = load({folder("here")});
  const auto second = load({folder("here")});
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].plugin, first.at(0).plugin);
}

// plugin.h promises it to the author, also of a plugin that was refused then.
TEST_F(PluginLoader, AnEntryIsCalledOnceHoweverManyEnginesLoadTheFile) {
  for (const char* variant : {"good", "no_probe", "returns_null"}) {
    const std::string here = folder(variant);
    put(variant, here, "one");
    fs::create_hard_link(here + "/nexus-one.so", here + "/nexus-two.so");
    int calls = 0;
    std::string reason;
    for (int i = 0; i < 3; ++i) {
      plugin_loader loader({here}, [&](const std::string& line) {
        if (line == "the entry was called") ++calls;
      });
      loader.load_all();
      ASSERT_FALSE(loader.candidates().empty());
      const auto& found = loader.candidates()[0];
      EXPECT_EQ(found.path, here + "/nexus-one.so");
      EXPECT_EQ(found.plugin != nullptr, std::string(variant) == "good");
      if (i == 0) reason = found.reason;
      EXPECT_EQ(found.reason, reason);
    }
    EXPECT_EQ(calls, 1) << variant;
  }
}

TEST_F(PluginLoader, EnginesThatLoadAFileAtOnceCallItsEntryOnce) {
  put("good", folder("here"), "good");
  std::atomic<int> calls = 0;
  const plugin_loader listener({folder("empty")},
                               [&](const std::string&) { ++calls; });
  std::vector<std::thread> engines;
  for (int i = 0; i < 8; ++i)
    engines.emplace_back([here = folder("here")] {
      plugin_loader loader({here}, {});
      loader.load_all();
      EXPECT_NE(loader.candidates().at(0).plugin, nullptr);
    });
  for (auto& engine : engines) engine.join();
  EXPECT_EQ(calls, 1);
}

TEST_F(PluginLoader, WhatAPluginLogsReachesTheLogOfTheEngine) {
  put("good", folder("here"), "good");
  std::vector<std::string> lines;
  plugin_loader loader({folder("here")},
                       [&](const std::string& line) { lines.push_back(line); });
  loader.load_all();
  EXPECT_THAT(lines, testing::ElementsAre("the entry was called",
                                          "plugin loaded: " + folder("here") +
                                              "/nexus-good.so"));
}

// Whatever the function of an engine refers to may be gone with the engine.
TEST_F(PluginLoader, AnEnginesLogIsNotCalledOnceTheEngineIsGone) {
  put("good", folder("here"), "good");
  int calls = 0;
  {
    const plugin_loader gone({folder("empty")},
                             [&](const std::string&) { ++calls; });
  }
  plugin_loader loader({folder("here")}, {});
  loader.load_all();
  ASSERT_THAT(loader.candidates(), SizeIs(1));
  EXPECT_EQ(calls, 0);
}

TEST_F(PluginLoader, TheHostTableIsWhole) {
  const plugin_loader loader({folder("empty")}, {});
  const nexus_host* host = loader.host();
  EXPECT_EQ(host->size, sizeof(nexus_host));
  EXPECT_EQ(host->abi_major, NEXUS_ABI_MAJOR);
  EXPECT_EQ(host->abi_minor, NEXUS_ABI_MINOR);
  host->log(host->context, NEXUS_LOG_INFO, nullptr);
  EXPECT_EQ(host->get_extension(host->context, "unknown"), nullptr);
}

TEST_F(PluginLoader, TheHostSurvivesPointersThatAreNull) {
  const plugin_loader loader({folder("empty")}, {});
  const nexus_host* host = loader.host();
  EXPECT_EQ(host->get_extension(host->context, nullptr), nullptr);
  EXPECT_EQ(host->get_extension(nullptr, NEXUS_HOST_REQUESTED), nullptr);
  EXPECT_EQ(host->get_extension(nullptr, nullptr), nullptr);
  host->log(host->context, NEXUS_LOG_INFO, nullptr);
  host->log(nullptr, NEXUS_LOG_INFO, "nobody's");
}

TEST_F(PluginLoader, EveryEngineHasAWishOfItsOwn) {
  const auto wish = [](const plugin_loader& loader) {
    const nexus_host* host = loader.host();
    const void* said = host->get_extension(host->context, NEXUS_HOST_REQUESTED);
    return std::string(said == nullptr ? "(none)"
                                       : static_cast<const char*>(said));
  };
  plugin_loader first({folder("empty")}, {});
  plugin_loader second({folder("empty")}, {});
  EXPECT_EQ(wish(first), "(none)");
  first.set_requested("opencl");
  EXPECT_EQ(wish(first), "opencl");
  EXPECT_EQ(wish(second), "(none)");
  second.set_requested("*");
  EXPECT_EQ(wish(first), "opencl");
  const nexus_host* gone = nullptr;
  {
    plugin_loader third({folder("empty")}, {});
    third.set_requested("third");
    gone = third.host();
  }
  EXPECT_EQ(wish(second), "*");
  // A plugin may have kept it.
  gone->log(gone->context, NEXUS_LOG_INFO, "to nobody");
  EXPECT_STREQ(static_cast<const char*>(
                   gone->get_extension(gone->context, NEXUS_HOST_REQUESTED)),
               "third");
}

TEST_F(PluginLoader, ALineReachesTheEngineWhoseHostItWasGivenTo) {
  int first_lines = 0, second_lines = 0;
  const plugin_loader first({folder("empty")},
                            [&](const std::string&) { ++first_lines; });
  const plugin_loader second({folder("empty")},
                             [&](const std::string&) { ++second_lines; });
  first.host()->log(first.host()->context, NEXUS_LOG_INFO, "a line");
  EXPECT_EQ(first_lines, 1);
  EXPECT_EQ(second_lines, 0);
}

}  // namespace
}  // namespace nexus::test
