#include <nexus/operation.hpp>

namespace nexus {

operation::~operation() = default;

}  // namespace nexus
