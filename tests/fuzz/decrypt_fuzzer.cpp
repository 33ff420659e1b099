// Decryption of any bytes. The seeds are files that open.
#include "decrypt_check.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nexus;
  const byte_view file(reinterpret_cast<const std::byte*>(data), size);
  test::check_decryption(file, test::in_segments(65552));
  return 0;
}
