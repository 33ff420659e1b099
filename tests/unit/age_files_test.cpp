// Keys as text and files of them: nexus/age.hpp, recipient to
// parse_identities.
#include <gtest/gtest.h>

#include <nexus/age.hpp>
#include <string>

#include "base/bytes.hpp"
#include "format/bech32.hpp"

namespace nexus::age {
namespace {

// The identity of the C2SP age test kit, and its recipient.
const std::string secret =
    "AGE-SECRET-KEY-"
    "1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
const std::string own =
    "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef";
const std::string another =
    "age1y8m84r6pwd4da5d45zzk03rlgv2xr7fn9px80suw3psrahul44ashl0usm";

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(c));
  return text;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(c));
  return text;
}

template <class Result>
void expect_failure(const Result& outcome, status_code code,
                    std::string_view part) {
  ASSERT_FALSE(outcome.ok()) << "wanted: " << part;
  const status s = outcome.error();
  EXPECT_EQ(s.code(), code) << s.message();
  EXPECT_NE(s.message().find(part), std::string::npos) << s.message();
  // What a key file holds is never shown.
  for (const std::string& shown : {s.message(), s.hint()}) {
    EXPECT_EQ(shown.find(secret.substr(20, 8)), std::string::npos) << shown;
  }
}

TEST(Recipient, RefusesMistypedKeys) {
  constexpr auto code = status_code::invalid_argument;
  expect_failure(recipient::parse(""), code, "not a recipient");
  expect_failure(recipient::parse("alice"), code, "not a recipient");
  expect_failure(recipient::parse("age1"), code, "malformed recipient");
  std::string typo = own;
  typo[20] = typo[20] == 'q' ? 'p' : 'q';
  expect_failure(recipient::parse(typo), code, "the checksum is wrong");
  expect_failure(recipient::parse(own.substr(0, 40)), code,
                 "the checksum is wrong");
  expect_failure(recipient::parse("AGE1" + own.substr(4)), code,
                 "upper and lower case are mixed");
  expect_failure(recipient::parse(own + " "), code, "a character");
  expect_failure(recipient::parse(encode_bech32("age", bytes(31)).view()), code,
                 "the length is wrong");
}

TEST(Recipient, NamesTypesThatAreNotSupported) {
  constexpr auto code = status_code::unsupported;
  expect_failure(recipient::parse("age1pq1qqqq"), code, "post-quantum");
  expect_failure(recipient::parse("AGE1PQ1QQQQ"), code, "post-quantum");
  expect_failure(recipient::parse("age1tag1qqqq"), code, "age1tag are");
  expect_failure(recipient::parse("age1tagpq1qqqq"), code, "age1tagpq are");
  expect_failure(recipient::parse("ssh-ed25519 AAAAC3NzaC1lZDI1"), code, "SSH");
  expect_failure(recipient::parse("ssh-rsa AAAAB3NzaC1yc2E"), code, "SSH");
  const secret_string plugin = encode_bech32("age1yubikey", bytes(33));
  expect_failure(recipient::parse(plugin.view()), code, "plugin recipients");
}

TEST(Recipient, RefusesAnIdentityWithoutShowingIt) {
  constexpr auto code = status_code::invalid_argument;
  expect_failure(recipient::parse(secret), code, "an identity");
  expect_failure(recipient::parse(lower(secret)), code, "an identity");
  expect_failure(recipient::parse(secret + "x"), code, "an identity");
}

TEST(Recipient, ReadsEitherCaseAndWritesLowerCase) {
  for (const std::string& text : {own, upper(own)}) {
    const auto parsed = recipient::parse(text);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message();
    EXPECT_EQ(parsed.value().to_string(), own);
    EXPECT_EQ(recipient::from_public_key(parsed.value().public_key()),
              parsed.value());
  }
}

TEST(Identity, RefusesMistypedKeysWithoutShowingThem) {
  constexpr auto code = status_code::invalid_argument;
  expect_failure(identity::parse(""), code, "not an identity");
  expect_failure(identity::parse("hunter2"), code, "not an identity");
  std::string typo = secret;
  typo.back() = '2';
  expect_failure(identity::parse(typo), code, "the checksum is wrong");
  expect_failure(identity::parse(secret.substr(0, 60)), code,
                 "the checksum is wrong");
  expect_failure(
      identity::parse(encode_bech32("AGE-SECRET-KEY-", bytes(33)).view()), code,
      "the length is wrong");
}

TEST(Identity, RefusesARecipient) {
  constexpr auto code = status_code::invalid_argument;
  expect_failure(identity::parse(own), code, "a recipient");
  expect_failure(identity::parse("ssh-ed25519 AAAA"), code, "a recipient");
}

TEST(Identity, NamesTypesThatAreNotSupported) {
  constexpr auto code = status_code::unsupported;
  expect_failure(identity::parse("AGE-SECRET-KEY-PQ-1QQQQ"), code,
                 "post-quantum");
  expect_failure(identity::parse("AGE-PLUGIN-YUBIKEY-1QQQQ"), code, "plugin");
  expect_failure(identity::parse("-----BEGIN OPENSSH PRIVATE KEY-----"), code,
                 "SSH");
  expect_failure(identity::parse("-----BEGIN AGE ENCRYPTED FILE-----"), code,
                 "encrypted identity files");
  expect_failure(identity::parse("age-encryption.org/v1"), code,
                 "encrypted identity files");
}

TEST(Identity, ReadsWritesAndTellsItsRecipient) {
  for (const std::string& text : {secret, lower(secret)}) {
    const auto parsed = identity::parse(text);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message();
    EXPECT_EQ(parsed.value().to_string().view(), secret);
    EXPECT_EQ(parsed.value().to_recipient().to_string(), own);
  }
}

TEST(Identity, IsNewEachTime) {
  const auto a = identity::generate();
  const auto b = identity::generate();
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a.value().to_string().view(), b.value().to_string().view());
  const auto again = identity::parse(a.value().to_string().view());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.value().to_recipient(), a.value().to_recipient());
}

TEST(KeyFile, RefusesAFileWithoutKeys) {
  constexpr auto code = status_code::invalid_data;
  for (const char* text : {"", "\n\n", "# only a comment", "# a\r\n\r\n"}) {
    expect_failure(parse_recipients(text, "keys"), code,
                   "keys: no recipients in the file");
    expect_failure(parse_identities(text, "keys"), code,
                   "keys: no identities in the file");
  }
}

TEST(KeyFile, NamesTheLineThatIsWrong) {
  constexpr auto code = status_code::invalid_data;
  expect_failure(parse_recipients("# team\n" + own + "\nbob\n", "team.txt"),
                 code, "team.txt: line 3: not a recipient");
  expect_failure(parse_recipients(secret, "id"), code,
                 "id: line 1: an identity");
  expect_failure(parse_identities("\r\n" + secret + "x\r\n", "id"), code,
                 "id: line 2: malformed identity");
  expect_failure(parse_identities(own, "id"), code, "id: line 1: a recipient");
}

TEST(KeyFile, NeverSkipsATypeThatIsNotSupported) {
  constexpr auto code = status_code::unsupported;
  expect_failure(parse_recipients(own + "\nssh-rsa AAAA\n", "keys"), code,
                 "keys: line 2: SSH recipients are not supported yet");
  expect_failure(parse_identities(secret + "\n\nAGE-PLUGIN-X-1QQ", "keys"),
                 code, "keys: line 3: plugin identities");
}

TEST(KeyFile, RefusesTextThatIsNotUtf8) {
  constexpr auto code = status_code::invalid_data;
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x9f\xbf",
        "\xe2\x82", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "\xe2\x28\xa1", "\xf0\x90\x28\xbc"}) {
    expect_failure(parse_recipients(own + "\n# " + bad + "\n", "keys"), code,
                   "keys: line 2: not UTF-8");
  }
  const std::string utf16("a\0g\0e\0", 6);
  expect_failure(parse_recipients(utf16, "keys"), code, "not UTF-8");
  EXPECT_NE(parse_recipients("\xff\xfe" + utf16, "keys")
                .error()
                .hint()
                .find("PowerShell"),
            std::string::npos);
  expect_failure(parse_recipients("\xef\xbb\xbf" + own, "keys"), code,
                 "keys: line 1: the file has a byte order mark");
}

TEST(KeyFile, AcceptsEveryUtf8Comment) {
  for (const char* good : {"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
                           "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(
        parse_recipients("# " + std::string(good) + "\n" + own, "k").ok())
        << good;
  }
}

TEST(KeyFile, RefusesLongLinesAndLargeFiles) {
  constexpr auto code = status_code::invalid_data;
  const std::string longest = "#" + std::string(8191, 'x') + "\r\n" + own;
  EXPECT_TRUE(parse_recipients(longest, "keys").ok());
  expect_failure(parse_recipients("#" + longest, "keys"), code,
                 "keys: line 1: the line is longer than 8 KiB");
  std::string large = own + "\n";
  large.resize((std::size_t{16} << 20) + 1, '\n');
  expect_failure(parse_recipients(large, "keys"), code,
                 "keys: the file is larger than 16 MiB");
  large.pop_back();
  EXPECT_TRUE(parse_recipients(large, "keys").ok());
}

TEST(KeyFile, ReadsEveryKeyInOrder) {
  const auto recipients = parse_recipients(
      "# one\n" + own + "\r\n\r\n\n# two\r\n" + upper(another), "keys");
  ASSERT_TRUE(recipients.ok()) << recipients.error().message();
  ASSERT_EQ(recipients.value().size(), 2U);
  EXPECT_EQ(recipients.value()[0].to_string(), own);
  EXPECT_EQ(recipients.value()[1].to_string(), another);
  const auto identities =
      parse_identities("# public key: " + own + "\n" + secret + "\n", "keys");
  ASSERT_TRUE(identities.ok()) << identities.error().message();
  ASSERT_EQ(identities.value().size(), 1U);
  EXPECT_EQ(identities.value()[0].to_recipient().to_string(), own);
}

}  // namespace
}  // namespace nexus::age
