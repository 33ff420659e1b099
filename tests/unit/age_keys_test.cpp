#include "ops/age_keys.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "crypto/primitives.hpp"
#include "format/base64.hpp"

namespace nexus {
namespace {

// The identity, the file key and two headers ("x25519" and "scrypt") of the
// C2SP age test kit, and a header that age 1.1.1 wrote for that identity and
// another one.
constexpr std::string_view kit_identity =
    "AGE-SECRET-KEY-"
    "1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
constexpr std::string_view kit_x25519 =
    "age-encryption.org/v1\n"
    "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n"
    "hjabGXwSLQ9c3S6Lw2i+S2Tu2fiwQHHslbBN6B41FLE\n"
    "--- WyJp9F/9FOZh7gJdheq2WIJcwHgYc8NIVh3ddwhrcNg\n";
constexpr std::string_view kit_scrypt =
    "age-encryption.org/v1\n"
    "-> scrypt rF0/NwblUHHTpgQgRpe5CQ 10\n"
    "gUjEymFKMVXQEKdMMHL24oYexjE3TIC0O0zGSqJ2aUY\n"
    "--- IOXiQYStkoT1mvZW2tFOqZdhRVvj58egABx/sWfZQbc\n";
constexpr std::string_view age_x25519 =
    "age-encryption.org/v1\n"
    "-> X25519 IeVpr0Z7EvbekRZV+UT2N+rpFrmxaWkWyaJUvA1iNW0\n"
    "7aNUjzwCdf1XnZH4fbzfdPr9MQ0WzJsVueSax0mNXWU\n"
    "-> X25519 0tiHGBkUs18RqHew2ijdNp2RNBctmFbr1AjMFImIS1k\n"
    "sWU1zH/VgtauKWl22GfZrORWUtE106cDNEYXfZUFXIg\n"
    "--- 71358ah3MkXIkfdIVzzvgObrTnVk2/Dwl8C3CQOzsCk\n";
// Their arguments.
constexpr const char* kit_share = "TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc";
constexpr const char* kit_salt = "rF0/NwblUHHTpgQgRpe5CQ";

file_key test_key() {
  file_key key;
  const byte_view text = as_bytes("YELLOW SUBMARINE");
  std::copy(text.begin(), text.end(), key.data());
  return key;
}

age::identity identity_of(std::string_view text) {
  auto parsed = age::identity::parse(text);
  EXPECT_TRUE(parsed.ok());
  return std::move(parsed).value();
}

age::identity new_identity() {
  auto made = age::identity::generate();
  EXPECT_TRUE(made.ok());
  return std::move(made).value();
}

age::passphrase_prompt answer(std::string text) {
  return [text] { return result<secret_string>(secret_string(text)); };
}

age::decrypt_options with_identity(std::string_view text = kit_identity) {
  age::decrypt_options options;
  options.identities.push_back(identity_of(text));
  return options;
}

age::decrypt_options with_passphrase(std::string text) {
  age::decrypt_options options;
  options.passphrase = answer(std::move(text));
  return options;
}

result<file_key> unwrap(byte_view head, const age::decrypt_options& options) {
  auto header = parse_age_header(head, true);
  if (!header.ok()) return header.error();
  return unwrap_file_key(*header.value(), head, options);
}

result<file_key> unwrap(std::string_view head,
                        const age::decrypt_options& options) {
  return unwrap(as_bytes(head), options);
}

// A header of these stanzas, whose MAC is right for the test key.
result<file_key> unwrap(const std::vector<age_stanza>& stanzas,
                        const age::decrypt_options& options) {
  return unwrap(byte_view(serialize_age_header(stanzas, test_key())), options);
}

void expect_failure(const result<file_key>& outcome, status_code code,
                    std::string_view message, std::string_view hint = {}) {
  ASSERT_FALSE(outcome.ok()) << "wanted: " << message;
  const status s = outcome.error();
  EXPECT_EQ(s.code(), code) << s.message();
  EXPECT_NE(s.message().find(message), std::string::npos) << s.message();
  EXPECT_NE(s.hint().find(hint), std::string::npos) << s.hint();
}

void expect_key(const result<file_key>& outcome,
                const file_key& key = test_key()) {
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  EXPECT_TRUE(equal_in_constant_time(outcome.value().view(), key.view()));
}

age_stanza stanza_of(const age::encrypt_options& options,
                     const file_key& key = test_key()) {
  const auto stanzas = wrap_file_key(options, key);
  EXPECT_TRUE(stanzas.ok()) << stanzas.error().message();
  return stanzas.ok() ? stanzas.value().front() : age_stanza{};
}

age_stanza stanza_for(const age::identity& identity) {
  age::encrypt_options options;
  options.recipients.push_back(identity.to_recipient());
  return stanza_of(options);
}

age_stanza stanza_for(const char* passphrase) {
  age::encrypt_options options;
  options.passphrase = answer(passphrase);
  options.scrypt_log_n = 2;
  return stanza_of(options);
}

void expect_refused(const age::encrypt_options& options,
                    std::string_view message) {
  const auto outcome = wrap_file_key(options, test_key());
  ASSERT_FALSE(outcome.ok()) << "wanted: " << message;
  EXPECT_EQ(outcome.error().code(), status_code::invalid_argument);
  EXPECT_NE(outcome.error().message().find(message), std::string::npos)
      << outcome.error().message();
}

TEST(WrapFileKey, RefusesNeitherAndBothKinds) {
  age::encrypt_options options;
  expect_refused(options, "neither recipients nor a passphrase");
  options.recipients.push_back(new_identity().to_recipient());
  options.passphrase = answer("secret");
  expect_refused(options, "both recipients and a passphrase");
}

TEST(WrapFileKey, RefusesAnEmptyPassphraseAndACostOutOfRange) {
  age::encrypt_options options;
  options.passphrase = answer("");
  options.scrypt_log_n = 1;
  expect_refused(options, "the passphrase is empty");
  options.passphrase = answer("secret");
  for (const int cost : {-1, 0, 23, 64}) {
    options.scrypt_log_n = cost;
    expect_refused(options, "out of range");
  }
}

TEST(WrapFileKey, RefusesARecipientOfLowOrder) {
  age::encrypt_options options;
  const std::array<std::byte, 32> zeros{};
  options.recipients.push_back(age::recipient::from_public_key(zeros));
  expect_refused(options, "low order");
}

TEST(WrapFileKey, PassesTheFailureOfThePromptOn) {
  age::encrypt_options options;
  options.passphrase = [] {
    return result<secret_string>(status{status_code::cancelled, "no terminal"});
  };
  options.scrypt_log_n = 1;
  const auto outcome = wrap_file_key(options, test_key());
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), status_code::cancelled);
  EXPECT_EQ(outcome.error().message(), "no terminal");
}

TEST(WrapFileKey, WritesOneStanzaPerRecipientAllDifferent) {
  const age::identity identity = new_identity();
  age::encrypt_options options;
  options.recipients.assign(3, identity.to_recipient());
  const auto stanzas = wrap_file_key(options, test_key());
  ASSERT_TRUE(stanzas.ok());
  ASSERT_EQ(stanzas.value().size(), 3U);
  for (const age_stanza& stanza : stanzas.value()) {
    EXPECT_EQ(stanza.type, "X25519");
    EXPECT_EQ(stanza.args.size(), 1U);
    EXPECT_EQ(stanza.body.size(), 32U);
  }
  EXPECT_NE(stanzas.value()[0].args, stanzas.value()[1].args);
  EXPECT_NE(stanzas.value()[1].body, stanzas.value()[2].body);
}

TEST(WrapFileKey, IsRepeatableWithFixedSecretsAlone) {
  age::encrypt_options options;
  options.passphrase = answer("secret");
  options.scrypt_log_n = 3;
  EXPECT_NE(stanza_of(options).args, stanza_of(options).args);
  options.fixed = age::fixed_secrets{};
  options.fixed->salt.fill(std::byte{5});
  const age_stanza scrypt = stanza_of(options);
  EXPECT_EQ(scrypt.args, (std::vector<std::string>{
                             encode_base64(bytes(16, std::byte{5})), "3"}));
  EXPECT_EQ(scrypt.body, stanza_of(options).body);

  options.passphrase = nullptr;
  options.recipients.push_back(identity_of(kit_identity).to_recipient());
  options.fixed->ephemeral.fill(std::byte{6});
  const age_stanza x25519 = stanza_of(options);
  EXPECT_EQ(decode_base64(x25519.args[0]).value_or(bytes{}), [&] {
    const auto p = x25519_public_key(options.fixed->ephemeral);
    return bytes(p.begin(), p.end());
  }());
  EXPECT_EQ(x25519.body, stanza_of(options).body);
}

TEST(UnwrapFileKey, RefusesMalformedX25519Stanzas) {
  const bytes body(32);
  const std::string share = kit_share;
  const auto expect_bad = [](age_stanza stanza, std::string_view message) {
    expect_failure(unwrap({std::move(stanza)}, with_identity()),
                   status_code::invalid_data, message);
  };
  expect_bad({"X25519", {}, body}, "number of arguments");
  expect_bad({"X25519", {share, share}, body}, "number of arguments");
  expect_bad({"X25519", {share}, bytes(31)}, "body is not 32 bytes");
  expect_bad({"X25519", {share}, bytes(33)}, "body is not 32 bytes");
  expect_bad({"X25519", {share.substr(4)}, body}, "the share is not");
  expect_bad({"X25519", {share + "AAAA"}, body}, "the share is not");
  expect_bad({"X25519", {share.substr(0, 42) + "d"}, body}, "the share is not");
  expect_bad({"X25519", {share + "="}, body}, "the share is not");
  expect_bad({"X25519", {encode_base64(bytes(32))}, body}, "low order");
}

TEST(UnwrapFileKey, RefusesMalformedScryptStanzas) {
  const bytes body(32);
  const std::string salt = kit_salt;
  const auto expect_bad = [](age_stanza stanza, std::string_view message) {
    expect_failure(unwrap({std::move(stanza)}, with_passphrase("password")),
                   status_code::invalid_data, message);
  };
  expect_bad({"scrypt", {salt}, body}, "number of arguments");
  expect_bad({"scrypt", {salt, "10", "10"}, body}, "number of arguments");
  expect_bad({"scrypt", {salt, "10"}, bytes(48)}, "body is not 32 bytes");
  expect_bad({"scrypt", {salt.substr(4), "10"}, body}, "the salt is not");
  expect_bad({"scrypt", {salt + "AA", "10"}, body}, "the salt is not");
  for (const char* cost :
       {"0", "010", "+10", "-10", "0xa", "1e1", "10a", "a"}) {
    expect_bad({"scrypt", {salt, cost}, body}, "not a positive decimal");
  }
  for (const char* cost : {"23", "100", "18446744073709551626"}) {
    expect_bad({"scrypt", {salt, cost}, body}, "above the limit of 22");
  }
}

TEST(UnwrapFileKey, RefusesScryptThatIsNotAlone) {
  const age_stanza scrypt = stanza_for("password");
  for (const age_stanza& other : {scrypt, stanza_for(identity_of(kit_identity)),
                                  age_stanza{"x", {}, {}}}) {
    age::decrypt_options options = with_identity();
    expect_failure(unwrap({other, scrypt}, options), status_code::invalid_data,
                   "not the only stanza");
    options.passphrase = answer("password");
    expect_failure(unwrap({scrypt, other}, options), status_code::invalid_data,
                   "not the only stanza");
  }
}

TEST(UnwrapFileKey, KeepsToTheLimitOfTheCost) {
  age::decrypt_options options = with_passphrase("password");
  options.max_scrypt_log_n = 9;
  expect_failure(unwrap(kit_scrypt, options), status_code::invalid_data,
                 "above the limit of 9");
  options.max_scrypt_log_n = 10;
  expect_key(unwrap(kit_scrypt, options));
  for (const int limit : {-1, 0, 31, 64}) {
    options.max_scrypt_log_n = limit;
    expect_failure(unwrap(kit_scrypt, options), status_code::invalid_argument,
                   "out of range");
  }
}

TEST(UnwrapFileKey, ReportsAWrongMacOnceTheKeyIsFound) {
  std::string changed(kit_x25519);
  changed[changed.size() - 10] ^= 1;
  expect_failure(unwrap(changed, with_identity()), status_code::invalid_data,
                 "header MAC is wrong");
  // Without the key nothing is known of the MAC.
  age::decrypt_options others;
  others.identities.push_back(new_identity());
  expect_failure(unwrap(changed, others), status_code::wrong_key,
                 "no identity given opens the file");
}

TEST(UnwrapFileKey, TellsWhatIsMissingForAPassphraseFile) {
  expect_failure(unwrap(kit_scrypt, with_identity()), status_code::wrong_key,
                 "encrypted with a passphrase", "give the passphrase");
  expect_failure(unwrap(kit_scrypt, {}), status_code::wrong_key,
                 "encrypted with a passphrase");
  for (const char* wrong : {"Password", "password ", ""}) {
    expect_failure(unwrap(kit_scrypt, with_passphrase(wrong)),
                   status_code::wrong_key, "the passphrase is");
  }
}

TEST(UnwrapFileKey, TellsWhatIsMissingForAFileWithKeys) {
  expect_failure(unwrap(kit_x25519, {}), status_code::wrong_key,
                 "no identity was given", "1 X25519 key;");
  age::decrypt_options options = with_passphrase("password");
  expect_failure(unwrap(age_x25519, options), status_code::wrong_key,
                 "no identity was given", "2 X25519 keys;");
  options.identities.push_back(new_identity());
  expect_failure(unwrap(kit_x25519, options), status_code::wrong_key,
                 "no identity given opens", "give another identity file");
}

TEST(UnwrapFileKey, NamesTheStanzaTypesWhereNoneIsKnown) {
  std::vector<age_stanza> stanzas = {{"mlkem768x25519", {}, bytes(32)},
                                     {"x25519", {}, {}},
                                     {"x25519", {}, {}},
                                     {std::string(100, 'z'), {}, {}}};
  for (const auto& options : {age::decrypt_options{}, with_identity()}) {
    expect_failure(unwrap(stanzas, options), status_code::wrong_key,
                   "not encrypted to any type of key that is supported",
                   "mlkem768x25519, x25519, " + std::string(40, 'z') + "...;");
  }
  for (int i = 0; i < 1000; ++i) stanzas.push_back({std::to_string(i), {}, {}});
  EXPECT_LT(unwrap(stanzas, {}).error().hint().size(), 500U);
}

TEST(UnwrapFileKey, PassesTheFailureOfThePromptOn) {
  age::decrypt_options options;
  options.passphrase = [] {
    return result<secret_string>(status{status_code::cancelled, "no terminal"});
  };
  expect_failure(unwrap(kit_scrypt, options), status_code::cancelled,
                 "no terminal");
}

TEST(UnwrapFileKey, DoesNotAskWhereAnIdentityIsWanted) {
  age::decrypt_options options = with_identity();
  options.passphrase = []() -> result<secret_string> {
    ADD_FAILURE() << "asked for a passphrase";
    return secret_string("password");
  };
  expect_key(unwrap(kit_x25519, options));
}

TEST(UnwrapFileKey, OpensThePublishedVectors) {
  expect_key(unwrap(kit_x25519, with_identity()));
  expect_key(unwrap(kit_scrypt, with_passphrase("password")));
}

TEST(UnwrapFileKey, OpensAHeaderOfAnotherProgram) {
  const auto key = unwrap(age_x25519, with_identity());
  EXPECT_TRUE(key.ok()) << key.error().message();
}

TEST(UnwrapFileKey, TriesEveryIdentityOnEveryStanza) {
  const age::identity a = new_identity();
  const age::identity b = new_identity();
  const age::identity c = new_identity();
  const std::vector<age_stanza> stanzas = {{"x-grease", {"a", "b"}, bytes(7)},
                                           stanza_for(a),
                                           {"y-grease", {}, {}},
                                           stanza_for(b)};
  for (const auto& identities :
       {std::vector{a}, std::vector{b}, std::vector{c, b}, std::vector{c, a}}) {
    age::decrypt_options options;
    options.identities = identities;
    expect_key(unwrap(stanzas, options));
  }
  age::decrypt_options options;
  options.identities.push_back(c);
  expect_failure(unwrap(stanzas, options), status_code::wrong_key,
                 "no identity given opens", "x-grease, y-grease");
}

TEST(UnwrapFileKey, OpensItsOwnPassphraseFiles) {
  age::decrypt_options options = with_passphrase("caf\xc3\xa9 au lait");
  options.identities.push_back(new_identity());
  expect_key(unwrap({stanza_for("caf\xc3\xa9 au lait")}, options));
  expect_failure(unwrap({stanza_for("cafe au lait")}, options),
                 status_code::wrong_key, "the passphrase is wrong");
}

// The payload of the published vector: a nonce and one final chunk.
TEST(PayloadKey, OpensThePayloadOfThePublishedVector) {
  const auto payload =
      decode_padded_base64("7s9ix86RtDMnTmjU8vkTTLdMW/73vqpSyPC8DpksHoMx+2Y=");
  ASSERT_TRUE(payload && payload->size() == 35);
  const auto key = derive_payload_key(
      test_key(), std::span<const std::byte, 16>(payload->data(), 16));
  std::array<std::byte, 12> nonce{};
  nonce[11] = std::byte{1};
  bytes text(3);
  EXPECT_TRUE(open_chacha20_poly1305(key.view(), nonce,
                                     byte_view(*payload).subspan(16), text));
  EXPECT_EQ(as_text(text), "age");
}

}  // namespace
}  // namespace nexus
