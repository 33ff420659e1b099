// What the measured operations read, made before the clock runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nexus/age.hpp>
#include <nexus/engine.hpp>
#include <nexus/operation.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "arguments.hpp"
#include "bench/memory.hpp"

namespace nexus::tool::bench {

class test_data {
 public:
  // most: bytes that are ever asked for. options: of the engine that makes
  // ciphertext and proofs, on its CPUs.
  [[nodiscard]] static result<test_data> create(std::uint64_t most,
                                                engine_options options,
                                                std::stop_token stop);

  [[nodiscard]] std::uint64_t most() const noexcept {
    return plain_.bytes().size();
  }
  // The same bytes every time, whatever their number.
  [[nodiscard]] std::span<const std::byte> plain(std::uint64_t size);
  // What the operation reads for so many bytes of data: them, their ciphertext
  // or their proofs. Valid until it is asked for something else.
  [[nodiscard]] result<std::span<const std::byte>> input(bench_op op,
                                                         std::uint64_t size,
                                                         std::uint64_t rows);
  // For one run.
  [[nodiscard]] std::unique_ptr<operation> make(bench_op op,
                                                std::uint64_t rows) const;

 private:
  test_data(pages plain, age::identity key, engine_options options,
            std::stop_token stop);

  pages plain_;
  std::uint64_t filled_ = 0;
  age::identity key_;
  std::unique_ptr<engine> worker_;
  std::stop_token stop_;
  std::vector<std::byte> made_;
  struct recipe {
    bench_op op;
    std::uint64_t size, rows;
    friend bool operator==(const recipe&, const recipe&) = default;
  };
  std::optional<recipe> made_of_;
};

}  // namespace nexus::tool::bench
