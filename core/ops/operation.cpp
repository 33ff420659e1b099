#include <nexus/operation.hpp>

namespace nexus {

operation::~operation() = default;

result<record_size> operation::measure(std::span<const std::byte>) {
  return status(status_code::unsupported,
                std::string(name()) + " reads no records");
}

bool operation::check_takes_long(const segment_view&,
                                 const job_outcome&) const {
  return false;
}

status operation::audit(const segment_view&, const job_outcome&) {
  return {};
}

}  // namespace nexus
