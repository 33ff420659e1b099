#include "async/exception.hpp"

#include <boost/system/system_error.hpp>
#include <new>
#include <string>
#include <system_error>
#include <utility>

namespace nexus {
namespace {

status refused(std::string reason, int error) {
  return {status_code::io_error,
          "the system refused a thread or a descriptor: " + std::move(reason),
          "its limits may be too low (ulimit -a shows them)", error};
}

}  // namespace

status status_of_current_exception() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return {status_code::out_of_memory, "out of memory"};
  } catch (const std::system_error& e) {
    return refused(e.code().message(), e.code().value());
  } catch (const boost::system::system_error& e) {
    return refused(e.code().message(), e.code().value());
  } catch (const std::exception& e) {
    return {status_code::internal, e.what()};
  } catch (...) {
    return {status_code::internal, "an exception of unknown type"};
  }
}

}  // namespace nexus
