#include "inspect_proofs.hpp"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "files.hpp"
#include "table.hpp"
#include "terminal.hpp"

namespace nexus::tool {
namespace {

using json = nlohmann::ordered_json;

struct listed_segment {
  proofs::segment_description what;
  std::uint64_t proof_bytes = 0;
};

struct listing {
  proofs::summary total;
  std::vector<listed_segment> segments;
  std::uint64_t proof_bytes = 0;
};

// As the stream holds it.
std::string digest_text(const segment_digest& digest) {
  proofs::stream_root bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(digest[i / 4] >> (8 * (i % 4)));
  }
  return proofs::to_text(bytes);
}

const char* wire_name(proof_wire wire) {
  return wire == proof_wire::p3_0_7 ? "p3-0.7" : "p3-0.6";
}

result<listing> list(const proofs::read_function& read) {
  listing out;
  auto total =
      proofs::inspect(read, [&out](const proofs::segment_description& segment,
                                   std::span<const std::byte> proof) {
        out.segments.push_back({segment, proof.size()});
        out.proof_bytes += proof.size();
        return status{};
      });
  if (!total) return total.error();
  out.total = *total;
  return out;
}

std::string as_json(const listing& from) {
  const proofs::summary& total = from.total;
  const proof_profile& profile = profile_of(total.options.security);
  json segments = json::array();
  for (const listed_segment& each : from.segments) {
    segments.push_back({{"index", each.what.position.index},
                        {"last", each.what.position.last},
                        {"length", each.what.bytes},
                        {"digest", digest_text(each.what.digest)},
                        {"proof_bytes", each.proof_bytes}});
  }
  const json object = {{"format", "nexus-pipe proof stream v1"},
                       {"root", proofs::to_text(total.root)},
                       {"length", total.bytes},
                       {"segment_rows", total.cut.rows},
                       {"first_segment", total.cut.first_index},
                       {"partial", total.cut.partial},
                       {"wire", wire_name(total.options.wire)},
                       {"security",
                        {{"profile", profile.name},
                         {"queries", profile.queries},
                         {"pow_bits", profile.pow_bits},
                         {"conjectured_bits", profile.conjectured_bits},
                         {"proven_bits", profile.proven_bits}}},
                       {"proof_bytes", from.proof_bytes},
                       {"verified", false},
                       {"segments", std::move(segments)}};
  return object.dump(2) + "\n";
}

std::string as_text(const listing& from, const std::string& name) {
  const proofs::summary& total = from.total;
  const proof_profile& profile = profile_of(total.options.security);
  const std::uint64_t first = total.cut.first_index;
  const auto number = [](std::uint64_t n) { return std::to_string(n); };
  table facts;
  facts.add({"format", "nexus-pipe proof stream v1"});
  facts.add({"security", std::string(profile.name) + ": " +
                             number(profile.queries) + " queries, " +
                             number(profile.conjectured_bits) +
                             " bits conjectured, " +
                             number(profile.proven_bits) + " proven"});
  facts.add({"wire", wire_name(total.options.wire)});
  facts.add({"segments", number(total.segments) + " of " +
                             number(total.cut.rows) + " rows"});
  if (first != 0 || total.cut.partial) {
    facts.add(
        {"part", "from segment " + number(first) +
                     (total.cut.partial ? ", others follow" : " to the end")});
  }
  facts.add({"length", number(total.bytes)});
  facts.add({"proofs", number(from.proof_bytes) + " bytes, not verified"});
  facts.add({"root", proofs::to_text(total.root)});
  table rows;
  rows.add({"segment", "length", "proof", "digest"});
  for (const listed_segment& each : from.segments) {
    rows.add({number(each.what.position.index) +
                  (each.what.position.last ? " (last)" : ""),
              number(each.what.bytes), number(each.proof_bytes),
              digest_text(each.what.digest)});
  }
  return name + "\n" + facts.text("") + "\n" + rows.text("");
}

std::string values_json(const proofs::segment_description& segment) {
  const json object = {{"index", segment.position.index},
                       {"length", segment.bytes},
                       {"last", segment.position.last},
                       {"rows", segment_rows(segment.bytes)},
                       {"public_values", proofs::public_values(segment)}};
  return object.dump(2) + "\n";
}

}  // namespace

result<std::string> describe_proofs(const proofs::read_function& read,
                                    const inspect_arguments& arguments,
                                    const std::string& name) {
  const result<listing> all = list(read);
  if (!all) return all.error();
  return arguments.json ? as_json(*all) : as_text(*all, name);
}

status extract(const proofs::read_function& read,
               const inspect_arguments& arguments) {
  const std::uint64_t wanted = arguments.extract_proof
                                   ? *arguments.extract_proof
                                   : *arguments.extract_public_values;
  std::optional<std::string> found;
  const auto total =
      proofs::inspect(read, [&](const proofs::segment_description& segment,
                                std::span<const std::byte> proof) {
        if (segment.position.index != wanted) return status{};
        found = arguments.extract_proof
                    ? std::string(reinterpret_cast<const char*>(proof.data()),
                                  proof.size())
                    : values_json(segment);
        return status{};
      });
  if (!total) return total.error();
  if (!found) {
    return {status_code::invalid_argument,
            "the stream has no segment " + std::to_string(wanted)};
  }
  if (arguments.output.value_or("-") == "-") return print_output(*found);
  result<output_file> to = output_file::create(*arguments.output);
  if (!to) return to.error();
  status written = to->write(std::as_bytes(std::span(*found)));
  return written.ok() ? to->commit(true) : written;
}

}  // namespace nexus::tool
