#include "options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

namespace nexus::tool {
namespace {

// CLI11's layout with our words.
class help_format : public CLI::Formatter {
 public:
  explicit help_format(const command_help& help) : help_(help) {
    column_width(30);
  }

  std::string make_help(const CLI::App* app, std::string,
                        CLI::AppFormatMode mode) const override {
    std::string text = "Usage: nexus-pipe ";
    text.append(help_.name).append(" ").append(help_.usage).append("\n");
    if (!help_.details.empty()) text.append("\n").append(help_.details);
    text.append(make_groups(app, mode)).append("\n\nExamples:\n");
    for (auto gap = text.find("\n\n\n"); gap != std::string::npos;
         gap = text.find("\n\n\n", gap)) {
      text.erase(gap, 1);
    }
    return text.append(help_.examples);
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_type_name();
    return type.empty() ? type : " " + type;
  }

 private:
  const command_help& help_;
};

// "--output: 1 required FILE missing" and the like in our words.
std::string reworded(const CLI::Error& failure) {
  const std::string text = failure.what();
  if (text.ends_with("disallowed flag override")) {
    const std::string name = text.substr(0, text.find(' '));
    return (name.size() > 1 ? "--" : "-") + name + " takes no value";
  }
  const std::string name = text.substr(0, text.find(':'));
  if (text.ends_with("missing")) return name + " needs a value";
  if (text.find("required but received") != std::string::npos) {
    return name + " is given more than once";
  }
  return text.substr(0, text.find('\n'));
}

}  // namespace

class option_set::impl {
 public:
  explicit impl(const command_help& help) : name_(help.name) {
    app_.formatter(std::make_shared<help_format>(help));
    app_.set_help_flag();  // added last, so that it stands last
  }

  // What is wrong with the arguments that no option took.
  status unexpected() const {
    const std::vector<std::string> rest = app_.remaining();
    const std::string word = rest.empty() ? "" : rest.front();
    if (word.size() > 1 && word[0] == '-') {
      return usage_error("unknown option " + word, name_);
    }
    return usage_error("unexpected argument \"" + word + "\"", name_);
  }

  // What CLI11 would take the next word for is spelled out.
  std::vector<std::string> spelled_out(
      std::span<const char* const> arguments) const {
    std::vector<std::string> words(arguments.begin(), arguments.end());
    for (std::string& word : words) {
      if (word == "--") break;
      for (const auto& [name, implied] : implied_) {
        if (word == name) word += "=" + implied;
      }
    }
    return words;
  }

  CLI::App app_;
  std::vector<std::pair<std::string, std::string>> implied_;
  std::string name_;
  std::string group_ = "Options";
};

option_set::option_set(const command_help& help)
    : impl_(std::make_unique<impl>(help)) {}

option_set::~option_set() = default;

void option_set::group(std::string name) {
  impl_->group_ = std::move(name);
}

void option_set::flag(const char* names, bool& into, const char* text) {
  impl_->app_.add_flag(names, into, text)
      ->group(impl_->group_)
      ->disable_flag_override();
}

void option_set::value(const char* names, std::optional<std::string>& into,
                       const char* type, const char* text) {
  CLI::Option* option = impl_->app_.add_option_function<std::string>(
      names, [&into](const std::string& given) { into = given; }, text);
  option->type_name(type)->group(impl_->group_);
}

void option_set::optional_value(const char* name,
                                std::optional<std::string>& into,
                                const char* type, const char* implied,
                                const char* text) {
  value(name, into, type, text);
  impl_->implied_.emplace_back(name, implied);
}

void option_set::list(const char* names, std::vector<std::string>& into,
                      const char* type, const char* text) {
  CLI::Option* option = impl_->app_.add_option(names, into, text);
  option->type_name(type)->group(impl_->group_)->take_all();
  if (option->get_positional()) return;  // as many words as there are
  option->expected(1)->allow_extra_args(false);
}

status option_set::parse(std::span<const char* const> arguments,
                         std::optional<std::string>& help_text) {
  impl_->app_.set_help_flag("-h,--help", "Show this help and leave")
      ->group("Other");
  try {
    // CLI11 wants the last word first.
    std::vector<std::string> words = impl_->spelled_out(arguments);
    std::reverse(words.begin(), words.end());
    impl_->app_.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    help_text = impl_->app_.help();
  } catch (const CLI::ExtrasError&) {
    return impl_->unexpected();
  } catch (const CLI::Error& failure) {
    return usage_error(reworded(failure), impl_->name_);
  }
  return {};
}

status usage_error(std::string message, std::string_view command) {
  std::string hint = "see nexus-pipe ";
  if (!command.empty()) hint.append(command).append(" ");
  return {status_code::invalid_argument, std::move(message), hint + "--help"};
}

}  // namespace nexus::tool
